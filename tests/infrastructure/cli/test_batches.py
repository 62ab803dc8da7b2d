"""``stratal program batch`` and ``stratal batch``: a file in, a file out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from application.lm_ports import ProgramFailed
from domain.values import Failure
from infrastructure.client.batches import Batches
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX, ApiWorld

Call = Callable[..., Said]


@pytest.fixture
def rows(bench: Bench, tmp_path: Path) -> Path:
    """A file with three rows of the program triage."""
    bench.connect().programs.create("triage", SYNTAX)
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f'{{"message": "Row {n}."}}\n' for n in (1, 2, 3)))
    return file


def test_results_are_written_in_the_order_of_the_rows(
    stratal: Call, rows: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.jsonl"
    said = stratal("program", "batch", "triage", str(rows), "--out", str(out))
    assert (said.status, said.out) == (0, f"3 of 3 rows completed: {out}\n"), said
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(each["row"], each["outputs"]) for each in lines] == [
        (row, {"queue": "bug"}) for row in (1, 2, 3)
    ]


def test_without_a_file_results_are_printed(stratal: Call, rows: Path) -> None:
    said = stratal("program", "batch", "triage", str(rows))
    assert [json.loads(line)["row"] for line in said.out.splitlines()] == [1, 2, 3]
    told = stratal("program", "batch", "triage", str(rows), "--json").json
    assert (told["status"], told["completed"]) == ("completed", 3)


def test_a_batch_is_left_alone_and_followed_later(
    stratal: Call, rows: Path, tmp_path: Path
) -> None:
    assert "There are no batches" in stratal("batch", "list").out
    said = stratal("program", "batch", "triage", str(rows), "--no-follow")
    batch = said.out.split()[2].rstrip(".")
    out = tmp_path / "later.jsonl"
    assert stratal("batch", "follow", batch, "--out", str(out)).status == 0
    assert len(out.read_text().splitlines()) == 3
    assert "3 of 3" in stratal("batch", "list").out
    assert "3" in stratal("batch", "show", batch).out
    shown = stratal("batch", "show", batch, "--json").json
    assert stratal("batch", "list", "--json").json == [shown]
    started = stratal("program", "batch", "triage", str(rows), "--no-follow", "--json").json
    assert started["version"] == 1


def test_rows_that_failed_end_the_call_with_a_refusal(
    stratal: Call, rows: Path, world: ApiWorld, tmp_path: Path
) -> None:
    world.runner.error = ProgramFailed(Failure(code="program.failed", message="It failed."))
    out = tmp_path / "results.jsonl"
    said = stratal("program", "batch", "triage", str(rows), "--out", str(out))
    assert (said.status, "3 of 3 rows were not completed" in said.err) == (1, True), said
    assert [json.loads(line)["status"] for line in out.read_text().splitlines()] == ["failed"] * 3


def test_bad_lines_are_told_with_their_numbers(stratal: Call, rows: Path) -> None:
    rows.write_text('{"message": "Good."}\n{"massage": "x"}\n')
    said = stratal("program", "batch", "triage", str(rows))
    assert said.status == 1
    assert "Line 2: The input message is missing." in said.err


def test_a_paused_batch_says_how_to_go_on(stratal: Call, bench: Bench, rows: Path) -> None:
    budget = bench.connect().post("/v1/budgets", {"hold_usd": "1"})["id"]
    said = stratal("program", "batch", "triage", str(rows))
    assert (said.status, said.out) == (1, "")
    batch = said.err.replace("\n", " ").split("stratal batch resume ")[1].split()[0]
    assert "paused because" in stratal("batch", "show", batch).out
    assert batch in stratal("batch", "list", "--status", "paused").out
    bench.connect().post(f"/v1/budgets/{budget}/grant", {"usd": "100"})
    assert "goes on" in stratal("batch", "resume", batch).out
    assert stratal("batch", "follow", batch, "--json").json["completed"] == 3
    assert stratal("batch", "resume", batch, "--json").status == 1


def test_a_batch_is_called_off(stratal: Call, bench: Bench, rows: Path, world: ApiWorld) -> None:
    world.has_worker = False
    batch = bench.connect().batches.request("triage", [{"message": "It crashes."}], key="k")["id"]
    assert "No more rows begin" in stratal("batch", "cancel", batch, "--reason", "Wrong.").out
    said = stratal("batch", "follow", batch)
    assert (said.status, json.loads(said.out)["status"]) == (1, "cancelled")
    assert "called off because" in stratal("batch", "show", batch).out
    assert [each["row"] for each in bench.connect().batches.results(batch)] == [1]
    assert stratal("batch", "cancel", batch, "--json").problem["code"] == "batch.ended"


def test_what_cannot_be_read_or_written_is_told_before_anything_runs(
    stratal: Call, rows: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "no" / "results.jsonl"
    said = stratal("program", "batch", "triage", str(rows), "--out", str(nowhere), "--json")
    assert said.problem["code"] == "cli.input_unusable"
    said = stratal("program", "batch", "triage", str(tmp_path / "none.jsonl"), "--json")
    assert "cannot be read" in said.problem["detail"]
    assert stratal("batch", "list", "--json").json == []


def test_ctrl_c_leaves_the_batch_going_and_says_how_to_come_back(
    stratal: Call, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Batches, "follow", interrupted)
    said = stratal("program", "batch", "triage", str(rows))
    assert said.status == 130
    assert "The batch goes on. See: stratal batch follow" in said.err
