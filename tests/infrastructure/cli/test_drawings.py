"""Pictures of programs on the command line."""

from collections.abc import Callable
from pathlib import Path

from tests.infrastructure.cli.conftest import Said

Call = Callable[..., Said]


def test_a_program_is_drawn(stratal: Call) -> None:
    stratal("program", "create", "triage", "-s", "message -> queue")
    drawn = stratal("program", "draw", "triage")
    assert drawn.status == 0
    assert drawn.out.startswith("<svg ")
    assert "<title>triage, version 1</title>" in drawn.out


def test_a_picture_is_written_to_a_file(stratal: Call, tmp_path: Path) -> None:
    stratal("program", "create", "triage", "-s", "message -> queue")
    out = tmp_path / "triage.mmd"
    drawn = stratal(
        "program", "draw", "triage", "--version", "1", "--format", "mermaid", "--out", str(out)
    )
    assert drawn.out.split() == f"{out} shows version 1 of triage.".split()
    assert out.read_text().startswith("flowchart LR\n")


def test_what_cannot_be_drawn_or_written_is_said(stratal: Call, tmp_path: Path) -> None:
    stratal("program", "create", "triage", "-s", "message -> queue")
    missing = stratal("program", "draw", "triage", "--version", "2", "--json")
    assert missing.status != 0
    nowhere = stratal("program", "draw", "triage", "--out", str(tmp_path / "no" / "where.svg"))
    assert nowhere.status != 0
    assert "cannot be written" in nowhere.err
