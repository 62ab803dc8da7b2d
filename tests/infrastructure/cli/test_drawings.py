"""Graphs on the command line: made of a file, and drawn."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infrastructure.cli.conftest import Said
from tests.support.graphs import const, join, program

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
    strange = stratal("program", "draw", "triage", "--format", "png")
    assert strange.err.startswith("Invalid value for '--format': 'png' is not one of ")


def test_a_program_is_made_of_a_graph_in_a_file(stratal: Call, tmp_path: Path) -> None:
    greeting = program(
        "name -> text",
        const("hello", "Hello"),
        join("both", "hello.value", "name"),
        text="both.text",
    )
    file = tmp_path / "greeting.json"
    file.write_text(greeting.model_dump_json())
    made = stratal("program", "create", "greeting", "--graph", str(file))
    assert made.out.startswith("Created greeting (")
    assert "hello (const), both (join)" in stratal("program", "show", "greeting").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give either --signature or --graph."),
        (["-s", "a -> b", "--kind", "custom"], "is added with `stratal program add`."),
        (["-s", "a -> b", "--graph", "no.json"], "Give either --signature or --graph."),
        (["--graph", "no.json"], "no.json cannot be read"),
    ],
)
def test_a_program_is_made_of_one_thing_that_is_there(
    stratal: Call, words: list[str], said: str
) -> None:
    refused = stratal("program", "create", "it", *words)
    assert refused.status != 0
    assert said in refused.err
