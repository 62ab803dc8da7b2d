from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import UndefinedTable

from application.context import within
from application.errors import (
    AsOfIsAhead,
    AsOfIsBusy,
    AsOfIsTooCostly,
    ProjectionIsLate,
    StoreIsUnavailable,
)
from infrastructure.eventstore.past_fold import PastFold
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres import past_store
from infrastructure.postgres.past_store import PostgresPast
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.postgres.read_store import PostgresReadStore
from projections.kernel import Projection
from tests.contracts.repository import CONTEXT, Notes
from tests.support.projections import FussyBoard, NoteBoard

pytestmark = pytest.mark.postgres

NOTES = "SELECT reason, times FROM notes ORDER BY reason"


class KeptBoard(NoteBoard):
    """Says of its past that it was ever empty, so that a test can tell who answers."""

    past = ("notes AS (SELECT * FROM notes WHERE %(as_of)s IS NULL)",)


class NewKeptBoard(KeptBoard):
    version = 2


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    with open_pool(database, min_size=1, max_size=4, name="test") as opened:
        yield opened


def note(pool: Pool, *reasons: str) -> int:
    repository = EventSourcedRepository(EventLog(PostgresRecorder(pool)), Notes)
    with within(CONTEXT):
        return repository.save(Notes(uuid4()).note(*reasons)).position


def project(database: str, *projections: Projection) -> None:
    runner = ProjectionRunner(database, projections)
    while runner.step():
        pass
    runner.close()


def a_past(pool: Pool, *projections: Projection, fold: Any = None) -> PostgresPast:
    return PostgresPast(pool, PostgresReadStore(pool, projections), fold or PastFold())


def rows(past: PostgresPast, of: type[Projection], position: int) -> Any:
    with past.at(CONTEXT.tenant, position) as store:
        return store.rows(NOTES, {}, of=of)


def test_what_keeps_no_past_is_folded_anew(pool: Pool) -> None:
    first, second = note(pool, "a", "b"), note(pool, "c")
    past = a_past(pool, NoteBoard())
    assert rows(past, NoteBoard, second) == [
        {"reason": "b", "times": 2},
        {"reason": "c", "times": 1},
    ]
    assert rows(past, NoteBoard, first) == [{"reason": "b", "times": 2}]
    assert rows(past, NoteBoard, first - 1) == [{"reason": "a", "times": 1}]
    assert rows(past, NoteBoard, 0) == []


def test_what_is_folded_is_gone_with_the_question(pool: Pool) -> None:
    position = note(pool, "a")
    past = a_past(pool, NoteBoard())
    with past.at(CONTEXT.tenant, position) as store:
        assert len(store.rows(NOTES, {}, of=NoteBoard)) == 1
        assert len(store.rows(NOTES, {}, of=NoteBoard)) == 1
    with pool.connection() as connection, pytest.raises(UndefinedTable):
        connection.execute("SELECT * FROM pg_temp.notes")
    with pool.connection() as connection:
        (temporary,) = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relname = 'notes'"
        ).fetchone() or (None,)
    assert temporary == 0


def test_what_is_parked_is_left_out(database: str, pool: Pool) -> None:
    first, last = note(pool, "a"), note(pool, "poison", "a")
    board = FussyBoard()
    project(database, board)
    assert PostgresReadStore(pool, [board]).rows(NOTES, {}) == [{"reason": "a", "times": 1}]
    assert rows(a_past(pool, board), FussyBoard, last) == [{"reason": "a", "times": 1}]
    assert rows(a_past(pool, board), FussyBoard, first) == [{"reason": "a", "times": 1}]


def test_another_tenant_did_nothing(pool: Pool) -> None:
    position = note(pool, "a")
    with a_past(pool, NoteBoard()).at("somebody-else", position) as store:
        assert store.rows(NOTES, {}, of=NoteBoard) == []


def test_what_a_read_model_keeps_is_not_folded(database: str, pool: Pool) -> None:
    position = note(pool, "a")
    project(database, KeptBoard())
    assert rows(a_past(pool, KeptBoard()), KeptBoard, position) == []


def test_while_queries_read_another_version_its_past_is_folded(database: str, pool: Pool) -> None:
    position = note(pool, "a")
    project(database, KeptBoard())
    assert rows(a_past(pool, NewKeptBoard()), NewKeptBoard, position) == [
        {"reason": "a", "times": 1}
    ]


def test_what_keeps_its_past_is_waited_for(
    database: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = note(pool, "a")
    project(database, KeptBoard())
    past, ahead = a_past(pool, KeptBoard()), note(pool, "b")
    assert rows(past, KeptBoard, reached) == []
    monkeypatch.setattr(past_store, "LATE_AFTER_S", 0.05)
    with pytest.raises(ProjectionIsLate) as late:
        rows(past, KeptBoard, ahead)
    assert (late.value.position, late.value.reached) == (ahead, reached)
    project(database, KeptBoard())
    assert rows(past, KeptBoard, ahead) == []


def test_a_position_that_is_still_to_come_is_refused(pool: Pool) -> None:
    past = a_past(pool)
    assert past.position(0) == 0
    with pytest.raises(AsOfIsAhead) as ahead:
        past.position(1)
    assert ahead.value.head == 0
    head = note(pool, "a", "b")
    assert past.position(head) == head
    with pytest.raises(AsOfIsAhead):
        past.position(head + 1)


def test_a_time_means_the_last_position_recorded_until_then(pool: Pool) -> None:
    past = a_past(pool)
    first, second = note(pool, "a"), note(pool, "b", "c")
    events = EventLog(PostgresRecorder(pool)).events(0, 10)
    times = {each.position: each.recorded_at for each in events}
    assert past.position(_time(times[first]) - timedelta(microseconds=1)) == 0
    assert past.position(_time(times[first])) == first
    assert past.position(_time(times[second]) - timedelta(microseconds=1)) == first
    assert past.position(_time(times[second])) == second
    assert past.position(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    with pytest.raises(AsOfIsAhead) as ahead:
        past.position(datetime.now(UTC) + timedelta(minutes=1))
    assert ahead.value.head == second


def test_an_append_under_way_is_waited_for(database: str, pool: Pool) -> None:
    note(pool, "a")
    with psycopg.connect(database) as appending:
        appending.execute("SELECT pg_advisory_xact_lock(7301, 1)")
        with pool.connection() as connection:
            connection.execute("SET lock_timeout = '100 ms'")
        past = a_past(pool)
        assert past.position(datetime.now(UTC) - timedelta(seconds=20)) == 0
        with pytest.raises(StoreIsUnavailable):
            past.position(datetime.now(UTC) - timedelta(seconds=1))


def test_a_fold_that_takes_too_long_is_given_up(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    position = note(pool, "a")
    monkeypatch.setattr(past_store, "FOLD_LIMIT_S", 0.0)
    with pytest.raises(AsOfIsTooCostly):
        rows(a_past(pool, NoteBoard()), NoteBoard, position)

    def slow(connection: psycopg.Connection[Any], *_: object, **__: object) -> None:
        connection.execute("SET LOCAL statement_timeout = '20 ms'")
        connection.execute("SELECT pg_sleep(10)")

    with pytest.raises(AsOfIsTooCostly):
        rows(a_past(pool, NoteBoard(), fold=slow), NoteBoard, position)


def test_a_query_of_what_was_folded_shares_the_time_of_the_fold(pool: Pool) -> None:
    position = note(pool, "a")

    def fold(connection: psycopg.Connection[Any], *args: Any, **kwargs: Any) -> None:
        PastFold()(connection, *args, **kwargs)
        connection.execute("SET LOCAL statement_timeout = '20 ms'")

    with (
        a_past(pool, NoteBoard(), fold=fold).at(CONTEXT.tenant, position) as store,
        pytest.raises(AsOfIsTooCostly),
    ):
        store.rows("SELECT reason, pg_sleep(10) FROM notes", {}, of=NoteBoard)


def test_only_so_many_fold_at_once(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    position = note(pool, "a")
    monkeypatch.setattr(past_store, "BUSY_AFTER_S", 0.05)
    past = a_past(pool, NoteBoard())
    with past.session(), past.session(), pytest.raises(AsOfIsBusy):
        rows(past, NoteBoard, position)
    assert rows(past, NoteBoard, position) == [{"reason": "a", "times": 1}]


def _time(recorded_at: datetime | None) -> datetime:
    assert recorded_at is not None
    return recorded_at
