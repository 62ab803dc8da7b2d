"""What a manifest does not say of a thing is left as it is, and nothing is taken for unsaid."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infrastructure.cli.conftest import Said

Call = Callable[..., Said]
PROGRAM = "programs:\n  triage:\n    kind: predict\n    signature: a -> b\n"
DATASET = "datasets:\n  mail:\n    train: [{a: x, b: y}]\n"


@pytest.fixture
def apply(stratal: Call, tmp_path: Path) -> Callable[[str], Said]:
    def applied(text: str) -> Said:
        file = tmp_path / "manifest.yaml"
        file.write_text(text)
        return stratal("apply", str(file))

    return applied


def test_description_and_config_of_a_program_stay_when_they_are_left_out(
    apply: Callable[[str], Said], stratal: Call
) -> None:
    apply(PROGRAM + "    description: Sorts.\n    config: {owner: ann}\n")
    assert apply(PROGRAM).out.splitlines()[0] == "same    program triage"
    assert apply(PROGRAM + "    default_optimizer: copro\n").status == 0
    found = stratal("program", "show", "triage", "--json").json
    assert (found["description"], found["config"]) == ("Sorts.", {"owner": "ann"})
    assert found["default_optimizer"] == "copro"


def test_what_is_written_as_nothing_is_taken_away(
    apply: Callable[[str], Said], stratal: Call
) -> None:
    apply(PROGRAM + "    description: Sorts.\n    config: {owner: ann}\n")
    apply(PROGRAM + "    description: null\n    config: {}\n")
    found = stratal("program", "show", "triage", "--json").json
    assert (found["description"], found["config"]) == (None, {})


def test_purpose_and_description_of_a_dataset_need_not_be_said_again(
    apply: Callable[[str], Said],
) -> None:
    apply(DATASET + "    purpose: training\n    description: Ours.\n")
    assert apply(DATASET).out.splitlines()[0] == "same    dataset mail"
    refused = apply(DATASET + "    description: Theirs.\n")
    assert "keeps its purpose and its description" in refused.err
