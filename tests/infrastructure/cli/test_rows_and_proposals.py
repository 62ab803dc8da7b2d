"""Rows of datasets one by one, and what optimizers propose, on the command line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.infrastructure.api.test_proposals import FOUND
from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX, ApiWorld

Call = Callable[..., Said]
CRASH = {"message": "It crashes.", "queue": "bug"}
INVOICE = {"message": "Invoice?", "queue": "billing"}


@pytest.fixture
def mail(stratal: Call, tmp_path: Path) -> Call:
    """The command line of somebody whose dataset mail leaks."""
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([CRASH, INVOICE]))
    assert stratal("dataset", "load", "mail", str(rows)).out == (
        "Loaded rows.json into mail (train).\n"
    )
    rows.write_text(json.dumps([CRASH, CRASH]))
    assert stratal("dataset", "load", "mail", str(rows), "--split", "heldout").out == (
        "Loaded rows.json into mail (heldout). "
        "1 of its rows were there already, and 2 are in the other part, too.\n"
        "See stratal dataset duplicates mail.\n"
    )
    return stratal


@pytest.mark.feature("EXM-01")
def test_exm_01_duplicates_are_shown_with_what_leaks(mail: Call) -> None:
    shown = mail("dataset", "duplicates", "mail").out
    assert shown.startswith("4 rows: 1 repeat another, 2 held-out ones leak.\n")
    assert "2-1, 3-1, 3-2" in shown
    (group,) = mail("dataset", "duplicates", "mail", "--json").json["groups"]
    assert (group["count"], group["leaks"]) == (3, True)


@pytest.mark.feature("EXM-01")
def test_exm_01_rows_are_listed_replaced_and_removed(mail: Call, bench: Bench) -> None:
    better = json.dumps(INVOICE)
    replace = ("dataset", "row", "replace", "mail", "2-1", better, "--reason", "wrong")
    assert mail(*replace).out == "Replaced row 2-1 of mail.\n"
    assert mail(*replace).out.endswith("It says that already.\n")
    remove = ("dataset", "row", "remove", "mail", "3-2")
    assert mail(*remove).out == "Removed row 3-2 of mail.\n"
    assert mail(*remove).out.endswith("It was gone already.\n")
    listed = mail("dataset", "row", "list", "mail", "--split", "train").out
    assert [line.split()[0] for line in listed.splitlines()] == ["row", "2-1", "2-2"]
    rows = mail("dataset", "row", "list", "mail", "--json").json["items"]
    assert [each["row"] for each in rows] == ["2-1", "2-2", "3-1"]
    assert bench.connect().datasets.row("mail", "2-1")["values"] == INVOICE
    assert mail("dataset", "row", "replace", "mail", "2-1", "[]").status == 1
    assert "has no row 9-9" in mail("dataset", "row", "remove", "mail", "9-9").err


@pytest.fixture
def proposed(mail: Call, world: ApiWorld) -> Iterator[str]:
    """The id of an optimization that found something for the program triage."""
    assert mail("program", "create", "triage", "-s", SYNTAX).status == 0
    world.optimizer.found = FOUND
    ended = mail("optimize", "triage", "mail", "--adopt", "approval", "--json").json
    yield str(ended["optimization_id"])
    world.optimizer.found = None


@pytest.mark.feature("PRG-20")
def test_prg_20_a_proposal_is_shown_and_approved(mail: Call, proposed: str, bench: Bench) -> None:
    told = mail("proposal", "show", proposed).out
    assert "on 2 row(s), where its base has" in told
    assert "was added to the predictor predict" in told
    assert proposed in mail("proposal", "list").out
    assert bench.connect().programs.get("triage")["latest_version"] == 1
    approved = mail("proposal", "approve", proposed, "--reason", "It is better.")
    assert approved.out == f"Approved {proposed}: it becomes a version now.\n"
    assert proposed not in mail("proposal", "list").out
    assert proposed in mail("proposal", "list", "--status", "approved").out
    assert mail("proposal", "show", proposed, "--json").json["status"] == "approved"


@pytest.mark.feature("PRG-20")
def test_prg_20_a_proposal_is_rejected(mail: Call, proposed: str) -> None:
    rejected = mail("proposal", "reject", proposed)
    assert rejected.out == f"Rejected {proposed}: no version comes of it.\n"
    assert mail("proposal", "list", "--json").json == {"items": []}
    late = mail("proposal", "approve", proposed)
    assert (late.status, "was rejected already" in late.err) == (1, True)


def test_who_follows_an_optimization_is_told_that_it_waits(mail: Call, proposed: str) -> None:
    told = mail("optimize", "triage", "mail", "--adopt", "approval").out
    assert told.startswith("bootstrap_random_search completed: proposal ")
    assert " is open (2 trials" in told


def test_recorded_executions_become_a_dataset(stratal: Call, bench: Bench) -> None:
    client = bench.connect()
    client.programs.create("triage", SYNTAX)
    assert stratal("dataset", "from-executions", "recorded", "nobody").status != 0
    for message in ("One.", "Two."):
        client.programs.execute("triage", {"message": message})
    said = stratal("dataset", "from-executions", "recorded", "triage", "--limit", "1")
    assert (said.status, said.out) == (0, "Loaded 1 executions into recorded (train).\n"), said
    told = stratal("dataset", "from-executions", "recorded", "triage", "--json").json
    assert (told["rows"], told["repeated"]) == (2, 1)
