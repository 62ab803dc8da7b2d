"""Facts, histories and the whole audit trail on the command line."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from application.auditing import Outcome
from infrastructure.postgres.attempts import AttemptLog
from infrastructure.postgres.pool import open_pool
from tests.infrastructure.cli.conftest import Said
from tests.support.api import SYNTAX, ApiWorld

Call = Callable[..., Said]


@pytest.fixture
def program(stratal: Call) -> str:
    """A program that was deployed; its name."""
    assert stratal("program", "create", "triage", "-s", SYNTAX).status == 0
    assert stratal("program", "deploy", "triage", "--because", "Why not.").status == 0
    return "triage"


def facts(said: Said) -> list[str]:
    """The topics of the JSON lines that were printed."""
    assert said.status == 0, said.err
    return [json.loads(line)["topic"] for line in said.out.splitlines()]


def test_facts_are_json_lines_oldest_first(stratal: Call, program: str) -> None:
    del program
    assert facts(stratal("events")) == ["program.created", "program.deployed"]
    assert facts(stratal("events", "--topic", "program.deployed")) == ["program.deployed"]
    first = json.loads(stratal("events").out.splitlines()[0])["position"]
    assert facts(stratal("events", "--after", str(first))) == ["program.deployed"]
    refused = stratal("events", "--topic", "nothing")
    assert (refused.status, "topic.unknown" in refused.err) == (1, True)


def test_the_whole_trail_is_printed_for_a_file(stratal: Call, program: str) -> None:
    del program
    rows = list(csv.DictReader(io.StringIO(stratal("audit", "download", "--format", "csv").out)))
    assert [row["topic"] for row in rows] == ["program.created", "program.deployed"]
    assert facts(stratal("audit", "download")) == ["program.created", "program.deployed"]
    later = stratal("audit", "download", "--after", rows[0]["position"], "--actor", "ada")
    assert facts(later) == ["program.deployed"]
    assert facts(stratal("audit", "download", "--since", "2999-01-01T00:00:00Z")) == []


def test_the_trail_is_narrowed_by_topic_and_command(stratal: Call, program: str) -> None:
    del program
    assert "deployed version 1" in stratal("audit", "--topic", "program.deployed").out
    assert len(stratal("audit", "--topic", "program.*").out.splitlines()) == 2
    assert len(stratal("audit", "--command", "CreateProgram").out.splitlines()) == 1


def test_a_history_tells_what_each_event_changed(stratal: Call, program: str) -> None:
    newest, *_ = stratal("history", "programs", program).out.split("\n     1  ")
    lines = newest.splitlines()
    assert lines[0].endswith("program.deployed by ada, then production")
    assert [line.strip() for line in lines[1:]] == [
        "/stage: draft → production",
        "/deployed_version: - → 1",
    ]
    live = stratal("history", "programs", program, "--status", "production", "--json").json
    assert [each["version"] for each in live["items"]] == [2]
    assert stratal("history", "programs", "nothing").status == 1
    assert stratal("history", "planets", "mars").status == 2


@pytest.mark.feature("AUD-01")
def test_commands_that_left_no_event_are_told(stratal: Call, world: ApiWorld) -> None:
    assert world.models is not None
    assert stratal("program", "deploy", "nobody", "--because", "Why not.").status == 1
    where, refused = world.models.tables.connection.info.dsn, world.attempts.noted[-1]
    with open_pool(where, min_size=1, max_size=1, name="attempts") as pool, AttemptLog(pool) as log:
        log.note(refused)
        log.note(replace(refused, outcome=Outcome.UNCHANGED, code=None, command="DeployProgram"))
    told = [line.partition("UTC  ")[2] for line in stratal("audit", "attempts").out.splitlines()]
    assert told == [
        "ada: DeployProgram, unchanged: No program is called nobody.",
        "ada: POST /v1/programs/{program}/deploy, not_found: No program is called nobody.",
    ]
    found = stratal("audit", "attempts", "--outcome", "refused", "--json").json["items"]
    assert [each["code"] for each in found] == ["not_found"]
