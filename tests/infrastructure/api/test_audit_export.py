"""The audit trail as a file: every line of what was asked for, once, wherever it broke off."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from infrastructure.api import audit_export
from tests.support import histories as build
from tests.support.histories import TENANT, Log, an_id
from tests.support.logged import LoggedWorld, logged_world
from tests.support.postgres import owner_of
from tests.support.projecting import Eavesdropper
from tests.support.stories import a_story, everything

pytestmark = pytest.mark.postgres

DAY = datetime(2031, 5, 4, tzinfo=UTC)


@pytest.fixture
def logged(database: str) -> Iterator[LoggedWorld]:
    with logged_world(database) as world:
        yield world


def lines(api: TestClient, **query: Any) -> list[dict[str, Any]]:
    """The export as JSON lines, read."""
    reply = api.get("/v1/audit/export", params=query)
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.text.splitlines()]


def cells(api: TestClient, **query: Any) -> list[dict[str, str]]:
    """The export as CSV, read by a reader that knows nothing of ours."""
    reply = api.get("/v1/audit/export", params={"format": "csv", **query})
    assert reply.status_code == 200, reply.text
    return list(csv.DictReader(io.StringIO(reply.text, newline=""), strict=True))


def spread_over_days(database: str, step: timedelta) -> None:
    """Have the facts recorded *step* after one another, as in a log that grew over days."""
    with psycopg.connect(owner_of(database), autocommit=True) as connection:
        connection.execute(
            "UPDATE stratal.events SET recorded_at = %s + (notification_id - 1) * %s", (DAY, step)
        )


@pytest.mark.feature("VIS-23")
def test_vis_23_the_export_of_a_day_is_the_table_of_events_of_that_day(
    logged: LoggedWorld,
) -> None:
    history = everything().recorded
    logged.append(history[:50])
    logged.append(Log("other").append(an_id("x"), build.dataset_created(), event_id=an_id("x")))
    logged.append(history[50:])
    spread_over_days(logged.database, timedelta(minutes=37))
    logged.project()
    since, until = DAY + timedelta(days=1), DAY + timedelta(days=2)
    with psycopg.connect(logged.database) as connection:
        table = connection.execute(
            """SELECT notification_id, event_id::text, topic, originator_id::text,
                      originator_version, metadata->>'actor', metadata->>'command'
               FROM stratal.events
               WHERE tenant = %s AND recorded_at >= %s AND recorded_at < %s
               ORDER BY notification_id""",
            (TENANT, since, until),
        ).fetchall()
    columns = ["position", "event_id", "topic", "aggregate_id"]
    columns += ["aggregate_version", "actor", "command"]
    day = {"since": since.isoformat(), "until": until.isoformat()}
    with logged.client(TENANT) as api:
        told = lines(api, **day)
        assert 0 < len(told) < len(history)
        assert [tuple(each[name] for name in columns) for each in told] == table
        in_cells = [tuple(each[name] for name in columns) for each in cells(api, **day)]
        assert in_cells == [tuple(map(str, row)) for row in table]


def test_a_line_is_a_row_of_the_trail(logged: LoggedWorld) -> None:
    logged.append(a_story().recorded)
    logged.project()
    with logged.client(TENANT) as api:
        trail = api.get("/v1/audit", params={"order": "oldest", "limit": 200}).json()["items"]
        assert lines(api) == trail
        assert lines(api, topic="program.*", actor="alice") == [
            each for each in trail if each["aggregate"] == "program"
        ]
        assert lines(api, actor="nobody") == []


@pytest.mark.parametrize("cut", [0, 1, 7, 1000])
def test_a_broken_download_goes_on_after_its_last_position(logged: LoggedWorld, cut: int) -> None:
    logged.append(a_story().recorded)
    logged.project()
    with logged.client(TENANT) as api:
        whole = lines(api)
        got = whole[:cut]
        rest = lines(api, after=got[-1]["position"] if got else 0)
        assert got + rest == whole


def test_csv_has_a_heading_unless_it_goes_on(logged: LoggedWorld) -> None:
    logged.append(a_story().recorded)
    logged.project()
    with logged.client(TENANT) as api:
        whole = api.get("/v1/audit/export", params={"format": "csv"})
        assert whole.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert whole.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
        first, second, *_ = whole.content.splitlines(keepends=True)
        assert first.startswith(b"position,event_id,at,recorded_at,actor,")
        assert second.endswith(b"\r\n")
        position = second.partition(b",")[0].decode()
        query = {"format": "csv", "after": position, "header": "absent"}
        rest = api.get("/v1/audit/export", params=query)
        assert rest.headers["Content-Type"] == "text/csv; charset=utf-8; header=absent"
        assert first + second + rest.content == whole.content


@pytest.mark.parametrize("sly", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_spreadsheet_runs_nothing_of_a_cell(logged: LoggedWorld, sly: str) -> None:
    log = Log()
    log.append(an_id("a"), build.dataset_created(), command_id=sly)
    logged.append(log.recorded)
    logged.project()
    with logged.client(TENANT) as api:
        assert [each["command_id"] for each in cells(api)] == [f"'{sly}"]
        assert [each["command_id"] for each in lines(api)] == [sly]


def test_it_is_read_page_by_page_and_only_as_far_as_the_client_went(
    logged: LoggedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "MAX_LIMIT", 10)
    logged.append(a_story().recorded)
    logged.project()
    listening = Eavesdropper(logged.models.store)
    with logged.client(TENANT, store=listening) as api:
        told = lines(api)
    assert len(told) == len(a_story().recorded)
    assert {params["rows"] for _, params in listening.asked} == {11}
    assert len(listening.asked) == -(-len(told) // 10)


def test_what_cannot_be_exported_is_refused_before_the_first_byte(logged: LoggedWorld) -> None:
    with logged.client(TENANT) as api:
        for query in ({"format": "xlsx"}, {"after": -1}, {"topic": "nothing.*"}):
            reply = api.get("/v1/audit/export", params=query)
            assert reply.status_code == 422
            assert reply.headers["Content-Type"] == "application/problem+json"
