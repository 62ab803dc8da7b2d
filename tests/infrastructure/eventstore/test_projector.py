from collections.abc import Iterable
from time import sleep
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import InsufficientPrivilege

from application.context import within
from application.errors import StoreIsUnavailable
from domain.kernel import Recorded
from infrastructure.eventstore.lag import lags
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.projection_tables import (
    CHANGED_BY_ANOTHER,
    MEASURED_FROM,
    Folded,
    ProjectionTables,
)
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.pool import open_pool
from projections.kernel import Write
from tests.contracts.repository import CONTEXT, Notes
from tests.support.event_log import Pool
from tests.support.following import (
    catch_up,
    note,
    runner_of,
    running,
    state,
    table,
    until,
)
from tests.support.postgres import prepared
from tests.support.projections import (
    BrokenSchema,
    ModuleBoard,
    NoteBoard,
    RebuiltNoteBoard,
)
from tests.support.throwaway_cluster import throwaway_cluster


def test_events_become_rows_and_the_position_moves_with_them(
    database: str, pool: Pool, log: EventLog
) -> None:
    stream = uuid4()
    head = note(log, "a", "b", id=stream)
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    assert table(pool, "note_board_v1") == [(stream, "b", 2)]
    assert state(pool) == {"note_board_v1": (head, True, None)}


def test_the_position_moves_past_events_that_nobody_wants(
    database: str, pool: Pool, log: EventLog
) -> None:
    head = note(log, "a", "b")
    with runner_of(database, ModuleBoard()) as runner:
        catch_up(runner)
    assert state(pool) == {"module_board_v1": (head, True, None)}


def test_a_runner_goes_on_where_the_last_one_ended(
    database: str, pool: Pool, log: EventLog
) -> None:
    stream = uuid4()
    note(log, "a", id=stream)
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    with within(CONTEXT):
        repository = EventSourcedRepository(log, Notes)
        repository.save(repository.get(stream).note("b"))
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    assert table(pool, "note_board_v1") == [(stream, "b", 2)]


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8), batch=st.integers(1, 9))
def test_projecting_again_from_the_beginning_gives_the_same_rows(
    database: str, pool: Pool, log: EventLog, sizes: list[int], batch: int
) -> None:
    with pool.connection() as connection:
        connection.execute("DELETE FROM stratal.projections")
    with runner_of(database, NoteBoard(), batch=batch) as runner:
        for size in sizes:
            note(log, *(f"reason {number}" for number in range(size)))
            runner.step()
        catch_up(runner)
    with runner_of(database, RebuiltNoteBoard()) as runner:
        catch_up(runner)
    assert table(pool, "note_board_v1") == table(pool, "note_board_v2")
    assert sum(times for _, _, times in table(pool, "note_board_v2")) == log.head()


def test_what_cannot_be_decoded_ahead_does_not_undo_the_batch_before_it(
    database: str, pool: Pool, log: EventLog
) -> None:
    class Stumbling(EventMapper):
        falls = 1

        def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
            recorded = super().to_domain_event(stored_event)
            if recorded.position == 2 and self.falls:
                self.falls -= 1
                raise RuntimeError
            return recorded

    stream = uuid4()
    note(log, "a", "b", id=stream)
    runner = ProjectionRunner(database, [NoteBoard()], mapper=Stumbling(), batch=1)
    catch_up(runner)
    runner.close()
    assert table(pool, "note_board_v1") == [(stream, "b", 2)]
    with pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM stratal.parked").fetchone() == (0,)


def test_no_batch_is_written_twice(database: str, pool: Pool) -> None:
    row = {"id": uuid4(), "reason": "a"}
    insert = Write("INSERT INTO notes VALUES (%(id)s, %(reason)s, 1) ON CONFLICT DO NOTHING", row)
    with psycopg.connect(database, autocommit=True) as connection:
        tables = ProjectionTables(connection)
        tables.open(NoteBoard())
        tables.write([Folded(NoteBoard(), [insert], 1)])
        with pytest.raises(psycopg.Error) as refused:
            tables.write([Folded(NoteBoard(), [insert], 1)])
    assert refused.value.sqlstate == CHANGED_BY_ANOTHER


def test_tables_that_cannot_be_measured_are_written_all_the_same(
    database: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise InsufficientPrivilege

    monkeypatch.setattr("infrastructure.eventstore.projection_tables.measure", fail)
    with psycopg.connect(database, autocommit=True) as connection:
        tables = ProjectionTables(connection)
        tables.open(NoteBoard())
        tables.write([Folded(NoteBoard(), [], 2 * MEASURED_FROM)])
    assert state(pool)["note_board_v1"][0] == 2 * MEASURED_FROM


def test_a_new_version_is_built_beside_the_old_one_and_read_when_it_has_caught_up(
    database: str, pool: Pool, log: EventLog
) -> None:
    head = note(log, *"abcde")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    with runner_of(database, RebuiltNoteBoard(), batch=2) as runner:
        runner.step()
        assert state(pool)["note_board_v1"][1]
        assert state(pool)["note_board_v2"] == (2, False, None)
        catch_up(runner)
    assert state(pool) == {
        "note_board_v1": (head, False, None),
        "note_board_v2": (head, True, None),
    }


def test_a_new_version_that_two_folds_do_not_agree_on_is_not_read(
    database: str, pool: Pool, log: EventLog
) -> None:
    class MoodyBoard(RebuiltNoteBoard):
        def project(self, recorded: Recorded) -> Iterable[Write]:
            for write in super().project(recorded):
                yield Write(write.sql, {**write.params, "reason": str(uuid4())})

    head = note(log, "a")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    with runner_of(database, MoodyBoard()) as runner:
        catch_up(runner)
    why = "Its tables differ from a fold from the beginning: notes."
    assert state(pool) == {
        "note_board_v1": (head, True, None),
        "note_board_v2": (head, False, why),
    }
    # The next release, mended, begins it from nothing.
    with runner_of(database, RebuiltNoteBoard()) as runner:
        catch_up(runner)
    assert table(pool, "note_board_v2") == table(pool, "note_board_v1")


def test_an_older_release_does_not_take_the_live_place_back(
    database: str, pool: Pool, log: EventLog
) -> None:
    note(log, "a")
    with (
        runner_of(database, RebuiltNoteBoard()) as newer,
        runner_of(database, NoteBoard()) as older,
    ):
        catch_up(newer)
        catch_up(older)
        catch_up(older)
    assert state(pool)["note_board_v2"][1]
    assert not state(pool)["note_board_v1"][1]


def test_a_projection_without_tables_holds_up_no_other(
    database: str, pool: Pool, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    head = note(log, "a")
    with runner_of(database, BrokenSchema(), NoteBoard()) as runner:
        catch_up(runner)
    states = state(pool)
    assert states.pop("note_board_v1") == (head, True, None)
    why = 'It has no tables: syntax error at or near "TABEL"'
    assert states == {"broken_schema_v1": (0, False, why)}
    assert "broken_schema stopped" in caplog.text


def test_of_two_runners_one_leads_and_the_other_takes_over(
    database: str, pool: Pool, log: EventLog
) -> None:
    with runner_of(database, NoteBoard()) as standby:
        with runner_of(database, NoteBoard()) as leader:
            note(log, "a")
            leader.step()
            note(log, "b")
            assert not standby.step()
            assert state(pool)["note_board_v1"][0] == 1
        # The server lets go of the lead a moment after the connection was closed.
        until(lambda: not standby.step() and state(pool)["note_board_v1"][0] == 2)


def test_two_runners_at_once_project_every_event_once(
    database: str, pool: Pool, log: EventLog
) -> None:
    with (
        runner_of(database, NoteBoard()) as one,
        runner_of(database, NoteBoard()) as other,
        running(one) as wake_one,
        running(other) as wake_other,
    ):
        for _ in range(50):
            note(log, "a", "b")
            wake_one.set()
            wake_other.set()
        until(lambda: state(pool).get("note_board_v1", (0,))[0] == log.head())
    assert [times for _, _, times in table(pool, "note_board_v1")] == [2] * 50


def test_a_runner_finds_new_events_without_being_woken(
    database: str, pool: Pool, log: EventLog
) -> None:
    with runner_of(database, NoteBoard()) as runner, running(runner):
        until(lambda: "note_board_v1" in state(pool))
        head = note(log, "a")
        until(lambda: state(pool)["note_board_v1"][0] == head, within_s=2)


def test_the_lag_says_where_each_projection_is_and_whether_its_leader_lives(
    database: str, pool: Pool, log: EventLog
) -> None:
    note(log, "a")
    with runner_of(database, NoteBoard()) as runner:
        catch_up(runner)
    with runner_of(database, RebuiltNoteBoard()) as runner:
        catch_up(runner)
    head = note(log, "b")
    (lag,) = lags(pool)
    assert (lag.name, lag.version, lag.position, lag.head) == ("note_board", 2, head - 1, head)
    assert 0 <= lag.heartbeat_age_s < 5
    assert (lag.failure, lag.parked) == (None, 0)
    assert 0 < lag.behind_s < 5


def test_an_idle_runner_still_shows_that_it_lives(database: str, pool: Pool) -> None:
    with runner_of(database, NoteBoard()) as runner, running(runner):
        until(lambda: bool(lags(pool)))
        sleep(1.5)
        assert lags(pool)[0].heartbeat_age_s < 1.4


@pytest.mark.slow
def test_a_runner_is_alive_again_after_the_database_was_killed() -> None:
    with throwaway_cluster() as cluster:
        conninfo = prepared(cluster.conninfo)
        with open_pool(conninfo, min_size=1, max_size=4, name="test") as pool:
            log = EventLog(PostgresRecorder(pool))
            with runner_of(conninfo, NoteBoard()) as runner, running(runner):
                note(log, "a")
                until(lambda: state(pool).get("note_board_v1", (0,))[0] == 1)
                cluster.stop("immediate")
                sleep(0.5)
                cluster.start()
                until(lambda: note_once(log))
                until(lambda: state(pool).get("note_board_v1", (0,))[0] == log.head())
            assert len(table(pool, "note_board_v1")) == 2


def note_once(log: EventLog) -> bool:
    try:
        note(log, "b")
    except StoreIsUnavailable:
        return False
    return True


def test_a_runner_that_lost_its_session_leads_again(
    database: str, pool: Pool, log: EventLog
) -> None:
    with runner_of(database, NoteBoard()) as runner:
        note(log, "a")
        catch_up(runner)
        with pool.connection() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database AS d"
                " ON d.oid = database AND datname = current_database()"
                " WHERE locktype = 'advisory' AND classid = 7302"
            )
        with pytest.raises(psycopg.OperationalError):
            catch_up(runner)
        runner.close()
        note(log, "b")
        catch_up(runner)
    assert len(table(pool, "note_board_v1")) == 2


def test_a_connection_that_cannot_be_set_up_is_closed(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[psycopg.Connection[Any]] = []

    def fail(connection: psycopg.Connection[Any]) -> None:
        opened.append(connection)
        raise psycopg.OperationalError

    monkeypatch.setattr("infrastructure.eventstore.projection_tables.prepare_session", fail)
    with runner_of(database, NoteBoard()) as runner, pytest.raises(psycopg.OperationalError):
        runner.step()
    assert [each.closed for each in opened] == [True]
