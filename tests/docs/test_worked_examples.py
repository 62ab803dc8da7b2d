"""The worked examples, in real processes: outputs, counts of calls and contexts as shown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.examples import Page

DOCS = Path(__file__).parents[2] / "docs"
WORKED = DOCS / "examples" / "worked"


@pytest.mark.journey
@pytest.mark.feature("VIS-08")
@pytest.mark.feature("MOD-29")
@pytest.mark.feature("SIG-22")
def test_vis_08_the_worked_examples_answer_as_their_page_shows(
    page: Callable[[Path, Path], Page],
) -> None:
    examples = page(DOCS / "tutorials" / "worked-examples.md", WORKED / "model.json")

    assert examples.run() == 8
