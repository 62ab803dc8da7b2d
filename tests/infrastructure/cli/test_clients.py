"""``stratal client generate``."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infrastructure.api import openapi
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX

Call = Callable[..., Said]


def test_a_client_is_written_or_printed(stratal: Call, bench: Bench, tmp_path: Path) -> None:
    for name in ("triage", "other"):
        bench.connect().programs.create(name, SYNTAX)
    out = tmp_path / "client.py"
    said = stratal("client", "generate", "--out", str(out))
    assert (said.status, said.out) == (0, "")
    assert said.err == f"{out} has the types of 2 programs.\n"
    assert "class OtherInputs(TypedDict)" in out.read_text()
    printed = stratal("client", "generate", "--program", "triage").out
    assert "class TriageInputs(TypedDict)" in printed
    assert "OtherInputs" not in printed


def test_what_cannot_be_written_is_said(stratal: Call, bench: Bench, tmp_path: Path) -> None:
    said = stratal("client", "generate", "--program", "nobody")
    assert (said.status, said.out) == (1, "")
    assert "No program in service is called nobody." in said.err
    bench.connect().programs.create("triage", SYNTAX)
    said = stratal("client", "generate", "--out", str(tmp_path))
    assert "cannot be written: Is a directory." in said.err


def test_programs_that_were_left_out_are_mentioned(
    stratal: Call, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openapi, "MOST_PROGRAMS", 1)
    for name in ("triage", "other"):
        bench.connect().programs.create(name, SYNTAX)
    said = stratal("client", "generate", "--out", str(tmp_path / "client.py"))
    assert "has the types of 1 program, the newest of 2; name others with --program." in said.err
