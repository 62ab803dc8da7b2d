"""The examples of the pages do what the pages say, against real processes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.examples import Page

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"

pytestmark = pytest.mark.journey


def test_the_readme_shows_what_happens(page: Callable[[Path, Path], Page], tmp_path: Path) -> None:
    model = tmp_path / "smollm2.json"
    model.write_text(json.dumps({"default": {"reply": {"queue": "bug"}}}))
    assert page(ROOT / "README.md", model).run() == 3


def test_the_tutorial_shows_what_happens(page: Callable[[Path, Path], Page]) -> None:
    tutorial = page(TUTORIALS / "first-program.md", TUTORIALS / "files" / "model.json")
    assert tutorial.run() > 5
