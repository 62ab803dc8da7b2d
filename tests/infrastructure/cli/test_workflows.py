"""``stratal workflow``: defined from a file, started, watched, called off, undone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from application.tool_ports import ToolFailed
from domain.values import Failure
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import ApiWorld

Call = Callable[..., Said]


def spec(name: str) -> dict[str, JsonValue]:
    return {
        "kind": "python",
        "name": name,
        "description": f"{name} it.",
        "entry_point": f"shop.more:{name}",
    }


@pytest.fixture
def trip(bench: Bench, world: ApiWorld, tmp_path: Path) -> Path:
    """A file with a workflow of two steps, whose tools are on the shelf."""
    world.shop.does = lambda name: f"{name} is done"
    for name in ("book", "cancel", "ship"):
        bench.connect().tools.create(spec(name))
    steps = [
        {
            "name": "book",
            "do": {"kind": "tool", "tool": "book"},
            "undo": {"kind": "tool", "tool": "cancel"},
        },
        {"name": "ship", "do": {"kind": "tool", "tool": "ship", "retries": 0}},
    ]
    file = tmp_path / "trip.json"
    file.write_text(json.dumps({"steps": steps}))
    return file


def test_a_workflow_is_defined_once_and_again_as_another_version(
    stratal: Call, trip: Path, tmp_path: Path
) -> None:
    assert "There are no workflows" in stratal("workflow", "list").out
    assert "version 1." in stratal("workflow", "define", "trip", str(trip)).out
    assert "Nothing changed in trip" in stratal("workflow", "define", "trip", str(trip)).out
    shorter = tmp_path / "shorter.json"
    shorter.write_text(json.dumps({"steps": json.loads(trip.read_text())["steps"][:1]}))
    assert "version 2." in stratal("workflow", "define", "trip", str(shorter)).out
    assert "book" in stratal("workflow", "list").out
    (told,) = stratal("workflow", "list", "--json").json
    assert told["workflow_version"] == 2
    assert stratal("workflow", "define", "trip", str(trip), "--json").json["version"] == 3


def test_a_run_is_started_and_shown(stratal: Call, trip: Path) -> None:
    stratal("workflow", "define", "trip", str(trip))
    assert "There are no runs" in stratal("workflow", "runs").out
    said = stratal("workflow", "start", "trip")
    assert (said.status, "completed" in said.out) == (0, True), said
    run = stratal("workflow", "start", "trip", "--json").json
    assert "ship is done" in stratal("workflow", "show", run["workflow_run_id"]).out
    assert stratal("workflow", "show", run["workflow_run_id"], "--json").json == run
    assert len(stratal("workflow", "runs", "--workflow", "trip", "--json").json) == 2
    assert run["workflow_run_id"] in stratal("workflow", "runs").out
    assert "Retired trip." in stratal("workflow", "retire", "trip", "--reason", "Old.").out


@pytest.mark.feature("VIS-31")
def test_vis_31_a_run_that_was_undone_is_a_failure_that_says_why(
    stratal: Call, trip: Path, world: ApiWorld
) -> None:
    broken = {"ship"}

    def refuse(name: str) -> JsonValue:
        if name in broken:
            raise ToolFailed(Failure(code="tool.not_allowed", message="No ship sails."))
        return name

    world.shop.does = refuse
    stratal("workflow", "define", "trip", str(trip))
    said = stratal("workflow", "start", "trip")
    assert said.status == 1
    assert "No ship sails. All that it had done is undone." in said.err
    broken.add("cancel")
    said = stratal("workflow", "start", "trip")
    assert "Not undone: book." in said.err
    (stuck,) = stratal("workflow", "runs", "--status", "failed", "--json").json
    broken.clear()
    assert "tried once more" in stratal("workflow", "undo", stuck["workflow_run_id"]).out
    world.work()
    shown = stratal("workflow", "show", stuck["workflow_run_id"], "--json").json
    assert shown["status"] == "undone"


def test_a_client_waits_for_a_run_that_is_undone(
    stratal: Call, trip: Path, bench: Bench, world: ApiWorld
) -> None:
    stratal("workflow", "define", "trip", str(trip))
    world.has_worker = False
    runs = bench.connect().workflow_runs
    run = stratal("workflow", "start", "trip", "--wait", "0", "--json").json["workflow_run_id"]
    runs.cancel(run)
    world.work()
    assert runs.wait(run, timeout_s=0)["status"] == "undone"


def test_a_run_is_called_off(stratal: Call, trip: Path, world: ApiWorld) -> None:
    stratal("workflow", "define", "trip", str(trip))
    world.has_worker = False
    run = stratal("workflow", "start", "trip", "--wait", "0", "--json").json["workflow_run_id"]
    assert "is called off" in stratal("workflow", "cancel", run, "--reason", "Enough.").out
    assert stratal("workflow", "show", run, "--json").json["cancelled_because"] == "Enough."


@pytest.mark.parametrize("content", ["", "[]", '{"inputs": []}'])
def test_a_file_that_holds_no_workflow_is_refused(
    stratal: Call, bench: Bench, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(content)
    said = stratal("workflow", "define", "trip", str(file))
    assert (said.status, "wrong.json" in said.err) == (1, True), said
