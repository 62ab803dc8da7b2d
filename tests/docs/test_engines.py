"""What is decided and told of engines is what there is."""

import re
from pathlib import Path

import pytest

from domain.module.kinds import ModuleKind
from infrastructure.engines.native.programs import KINDS
from infrastructure.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
RECORD = (DOCS / "decisions" / "0037-without-dspy-for-plain-programs.md").read_text()


@pytest.mark.feature("FUT-08")
def test_fut_08_a_complete_dspy_of_our_own_is_decided_against_and_what_there_is_is_named() -> None:
    decided = RECORD.partition("**Decision.**")[2].partition("**Alternatives.**")[0]
    assert "**Status:** accepted" in RECORD
    assert "A complete implementation of our own is out of scope." in decided
    carried = set(re.findall(r"`(\w+)`", decided.partition("in graphs of modules")[0]))
    assert carried == {"native", *(kind.value for kind in KINDS)}
    assert set(ModuleKind) > KINDS
    assert Settings.model_fields["engine"].default == "dspy"


def test_every_engine_has_its_row_in_the_guide() -> None:
    told = Settings.model_fields["engine"].metadata
    [limit] = [each.pattern for each in told if hasattr(each, "pattern")]
    named = {each.partition(":")[0] for each in limit.strip("^()$").split("|")}
    guide = (DOCS / "how-to" / "engines.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)(?::FILE)?` \|", guide, re.MULTILINE)) == named
