"""``stratal record`` and ``stratal binding``."""

from collections.abc import Callable

import pytest

from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX

Call = Callable[..., Said]


@pytest.fixture
def program(bench: Bench) -> str:
    """A program that says which queue a message is for."""
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    bench.connect().post("/v1/programs", {"name": "sorter", "modules": modules})
    return "sorter"


def test_records_are_created_shown_changed_listed_and_deleted(stratal: Call) -> None:
    assert "There is no post." in stratal("record", "list", "post").out
    made = stratal("record", "create", "post", '{"title": "Bread", "a": 1, "b": 2, "c": [3]}')
    assert "· title" in made.out
    (listed,) = stratal("record", "list", "post", "--json").json
    record_id = listed["record_id"]
    assert "a: 1; b: 2; c: [3]; …" in stratal("record", "list", "post").out
    patch = '{"title": null, "a": 4}'
    said = stratal("record", "update", "post", record_id, patch, "--if-version", "1", "--json")
    assert said.json["data"] == {"a": 4, "b": 2, "c": [3]}
    stale = stratal("record", "update", "post", record_id, patch, "--if-version", "1")
    assert (stale.status, "version.stale" in stale.err) == (1, True)
    assert stratal("record", "delete", "post", record_id).out == f"Deleted post {record_id}.\n"
    assert "status   deleted" in " ".join(
        stratal("record", "show", "post", record_id).out.split("\n")
    )
    assert "no JSON object" in stratal("record", "create", "post", "[1]").err


def test_programs_are_bound_and_what_they_were_called_for_is_shown(
    stratal: Call, program: str
) -> None:
    assert "No program is bound" in stratal("binding", "list", "--resource", "ticket").out
    wires = ("--input", "message=/text", "--output", "queue=queue")
    made = stratal("binding", "create", "ticket.sort", program, *wires)
    assert made.out.startswith("Bound sorter as ticket.sort (")
    assert "has no dot" in stratal("binding", "create", "sort", program, *wires).err
    wrong = stratal("binding", "create", "ticket.x", program, "--input", "m", "--output", "q=q")
    assert "no equals sign" in wrong.err
    shown = stratal("binding", "show", "ticket.sort").out
    for part in ("in   message", "/text", "out  queue", "as deployed", "active"):
        assert part in shown
    assert "ticket.sort" in stratal("binding", "list").out
    waited = stratal("record", "create", "ticket", '{"text": "It crashes."}', "--wait", "9")
    assert ("· queue" in waited.out, "done" in waited.out) == (True, True)

    assert "done" in stratal("binding", "calls", "ticket.sort").out
    assert stratal("binding", "calls", "ticket.sort", "--status", "failed", "--json").json == []

    stratal("record", "create", "ticket", "{}", "--wait", "9")
    (failed,) = stratal("binding", "calls", "ticket.sort", "--status", "failed", "--json").json
    record_id = failed["record_id"]
    stratal("record", "update", "ticket", record_id, '{"text": "It crashes."}')
    again = ("repeat", "ticket", record_id, failed["execution_id"], "--wait", "9")
    assert "· queue" in stratal("record", *again).out
    assert "record.call_not_failed" in stratal("record", *again).err

    update = ("--on", "update", "--changed", "text")
    assert stratal("binding", "create", "ticket.again", program, *wires, *update, "--json").json
    assert "update of text" in stratal("binding", "show", "ticket.again").out
    for verb, said in (("pause", "Paused"), ("resume", "Resumed"), ("remove", "Removed")):
        assert stratal("binding", verb, "ticket.sort").out == f"{said} ticket.sort.\n"
    (removed,) = (
        each for each in stratal("binding", "list", "--json").json if each["name"] == "ticket.sort"
    )
    assert removed["status"] == "removed"
