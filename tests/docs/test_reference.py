"""The generated pages of the reference are what the code says today."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: Mapping[str, Callable[[], str]] = generator().PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), "Run: python docs/generate.py"


def test_every_event_is_on_the_page() -> None:
    page = PAGES["events.md"]()
    assert "| `execution.replay_verified` | 1 |" in page
    assert "0x" not in page


def test_commands_show_their_fields_and_what_may_be_left_out() -> None:
    page = PAGES["commands.md"]()
    assert "`program_version: int \\| None = …`" in page
    assert "0x" not in page
    assert "| `DeployProgram` |" in page
