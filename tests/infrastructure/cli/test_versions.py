"""Versions on the command line: edited, compared, restored, exported and taken in."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX

Call = Callable[..., Said]


@pytest.fixture
def triage(stratal: Call) -> Call:
    assert stratal("program", "create", "triage", "-s", SYNTAX).status == 0
    return stratal


@pytest.mark.feature("PRD-01")
def test_prd_01_the_predictors_are_listed_with_what_they_are_told(
    triage: Call, tmp_path: Path
) -> None:
    demos = tmp_path / "demos.jsonl"
    demos.write_text('{"message": "It crashes.", "queue": "bug"}\n\n')
    edited = triage(
        "program", "edit", "triage", "predict", "--instructions", "Be brief.",
        "--demos", str(demos), "--because", "It talked.",
    )  # fmt: skip
    assert edited.out == "Made version 2 of triage.\n"
    told = triage("program", "predictors", "triage")
    assert "predict" in told.out
    assert "Be brief." in told.out
    listed = triage("program", "predictors", "triage", "--version", "1", "--json").json
    assert [each["few_shot_examples"] for each in listed["items"]] == [[]]
    again = triage("program", "edit", "triage", "predict", "--instructions", "Be brief.")
    assert again.out == "Version 2 of triage is just that already.\n"


def test_a_long_prompt_is_cut_for_people(triage: Call) -> None:
    triage("program", "edit", "triage", "predict", "--instructions", "a b " * 50)
    assert "…" in triage("program", "predictors", "triage").out


@pytest.mark.feature("PRG-19")
def test_prg_19_the_diff_of_two_versions_reads_well(triage: Call) -> None:
    triage("program", "edit", "triage", "predict", "--instructions", "Be brief.")
    said = triage("program", "diff", "triage@1", "triage@2")
    assert said.out.splitlines()[0] == (
        "compatible  The instructions of the predictor predict changed."
    )
    assert "              +Be brief." in said.out.splitlines()
    assert triage("program", "diff", "triage@1", "--json").json["after"] == 2
    assert triage("program", "diff", "triage@2", "triage@2").out == "Nothing changed.\n"


def test_what_a_change_breaks_is_said(triage: Call, bench: Bench, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"message": "It crashes.", "queue": "bug"}]))
    triage("dataset", "load", "mail", str(rows), "--split", "heldout")
    assert triage("evaluate", "triage", "mail").status == 0
    module = {"kind": "predict", "signature_syntax": "text -> urgency"}
    bench.connect().post("/v1/programs/triage/revise", {"modules": [module]})
    said = triage("program", "diff", "triage@1")
    assert said.out.splitlines()[0].startswith("breaking    The input message")
    assert "breaks      The rows of mail lack the input text" in said.out
    assert "is of another version" in said.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["triage@one"], "names no version"),
        (["triage@1", "other@2"], "two programs"),
    ],
)
def test_versions_that_cannot_be_compared_are_refused(
    triage: Call, words: list[str], why: str
) -> None:
    said = triage("program", "diff", *words)
    assert said.status == 1
    assert why in said.err


@pytest.mark.feature("PRG-09")
def test_prg_09_a_program_is_renamed_archived_and_restored(triage: Call) -> None:
    assert triage("program", "rename", "triage", "sorting").out == "triage is called sorting now.\n"
    assert triage("program", "describe", "sorting", "Sorts.").out == "sorting: Sorts.\n"
    assert triage("program", "archive", "sorting", "--because", "Rest.").status == 0
    assert triage("program", "run", "sorting", "message=Hi", "--json").problem["code"] == (
        "program.archived"
    )
    assert triage("program", "restore", "sorting").out == "sorting is in service.\n"
    assert triage("program", "run", "sorting", "message=Hi").status == 0
    triage("program", "edit", "sorting", "predict", "--instructions", "Be brief.")
    restored = triage("program", "restore", "sorting", "--version", "1")
    assert restored.out == "Made version 3 of sorting.\n"
    assert triage("program", "restore", "sorting", "--json").json["position"] == 0


@pytest.mark.feature("PRG-23")
def test_prg_23_a_program_is_exported_to_a_file_and_imported(triage: Call, tmp_path: Path) -> None:
    file = tmp_path / "triage.json"
    wrote = triage("program", "export", "triage", "--out", str(file))
    assert wrote.out == f"Wrote triage with 1 version(s) to {file}.\n"
    assert triage("program", "export", "triage").json == json.loads(file.read_text())
    took = triage("program", "import", str(file), "--name", "copy")
    assert took.out == "Imported copy with 1 version(s).\n"
    assert triage("program", "import", str(file), "--json").problem["code"] == "name.taken"


@pytest.mark.parametrize(
    ("content", "why"),
    [("[]", "holds no program"), ("{", "is not JSON"), (None, "cannot be read")],
)
def test_a_file_that_is_no_export_is_refused(
    stratal: Call, tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "p.json"
    if content is not None:
        file.write_text(content)
    said = stratal("program", "import", str(file))
    assert (said.status, why in said.err) == (1, True)


@pytest.mark.parametrize(("content", "why"), [("{", "is not JSON lines"), (None, "cannot be read")])
def test_demos_that_cannot_be_read_are_refused(
    triage: Call, tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "demos.jsonl"
    if content is not None:
        file.write_text(content)
    said = triage("program", "edit", "triage", "predict", "--demos", str(file))
    assert (said.status, why in said.err) == (1, True)


def test_two_signatures_are_compared(stratal: Call) -> None:
    said = stratal("signature", "diff", "question -> answer", "question, context -> answer: int")
    assert said.out.splitlines() == [
        "breaking    The input context (string) was added. It is required.",
        "breaking    The output answer is of another type: from string to integer.",
    ]
    assert stratal("signature", "diff", "a -> b", "a -> b", "--json").json == {
        "severity": None,
        "changes": [],
    }
    wrong = stratal("signature", "diff", "a -> b", "a -> b: strng", "--json").problem
    assert "/after/syntax" in str(wrong["faults"])


def test_revisions_of_a_signature_are_compared_by_name(stratal: Call, bench: Bench) -> None:
    signatures = bench.connect().signatures
    signatures.create("route", "message -> queue")
    signatures.revise("route", "message -> queue, why")
    said = stratal("signature", "diff", "route@1", "route")
    assert said.out == "compatible  The output why (string) was added.\n"
    assert stratal("signature", "diff", "route@7", "route").status == 1


def test_an_export_that_cannot_be_written_is_a_sentence(triage: Call, tmp_path: Path) -> None:
    said = triage("program", "export", "triage", "--out", str(tmp_path))
    assert (said.status, said.out) == (1, "")
    assert "cannot be written: Is a directory. (cli.input_unusable)" in said.err


def test_an_edit_that_changes_nothing_by_its_words_is_refused(triage: Call) -> None:
    said = triage("program", "edit", "triage", "predict")
    assert said.status == 1
    assert "Give --instructions, --demos, or both. (cli.input_unusable)" in said.err
