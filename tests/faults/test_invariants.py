"""Each invariant holds of what is right, and is broken by what it is there to find."""

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from domain.dataset.events import DatasetRowsLoaded
from domain.execution.events import ExecutionCancelled, ExecutionStarted, ReplayRequested
from domain.kernel import Event, Recorded
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.postgres.pool import open_pool
from projections.datasets import Datasets
from tests.support import invariants
from tests.support.histories import (
    Log,
    an_execution,
    an_id,
    an_optimization,
    dataset_created,
    execution_completed,
    execution_requested,
    lm_call,
    rows_loaded,
    trial_scored,
)
from tests.support.postgres import owner_of
from tests.support.projecting import read_models

CANCELLED = ExecutionCancelled(reason="It was not needed.")


def told(*events: Event) -> Sequence[Recorded]:
    """A stream of *events*."""
    return Log().append(an_id("stream"), *events)


@pytest.mark.parametrize(
    "events",
    [
        an_execution(),
        an_optimization(),
        (execution_requested(), CANCELLED),
        (*an_execution()[:2], ExecutionStarted(attempt=2, worker="w"), *an_execution()[2:]),
        (*an_execution(), ReplayRequested(replay=1)),
        (dataset_created(), rows_loaded()),
    ],
)
def test_a_legal_life_is_one(events: Sequence[Event]) -> None:
    invariants.check_life(told(*events))
    invariants.check_sums(told(*events))


@pytest.mark.parametrize(
    "events",
    [
        (*an_execution(), CANCELLED),
        (*an_execution(), execution_completed()),
        an_execution()[1:],
        (execution_requested(), *an_execution()[2:-1]),
        (*an_execution()[:2], ExecutionStarted(attempt=3, worker="w")),
        (*an_execution()[:2], ReplayRequested(replay=1), *an_execution()[2:]),
        (rows_loaded(), dataset_created()),
    ],
)
def test_an_illegal_life_is_found(events: Sequence[Event]) -> None:
    with pytest.raises(AssertionError):
        invariants.check_life(told(*events))


@pytest.mark.parametrize(
    "events",
    [
        an_execution(lm_call("one"), lm_call("one")),
        (*an_execution()[:-1], execution_completed(lm_call("one"), lm_call("two"))),
        (*an_optimization()[:-1], trial_scored(2)),
    ],
)
def test_what_is_booked_twice_or_never_is_found(events: Sequence[Event]) -> None:
    with pytest.raises(AssertionError):
        invariants.check_sums(told(*events))


def test_a_run_without_an_end_is_found() -> None:
    with pytest.raises(AssertionError, match="ended 0 times"):
        invariants.check_ended({an_id("stream"): told(execution_requested())})


def test_a_lost_and_a_doubled_command_are_found() -> None:
    [recorded] = told(dataset_created())
    key = recorded.envelope.command_id
    invariants.check_commands([recorded], acknowledged=[key], refused=["another"])
    for log, acknowledged, refused in (
        ([], [key], []),
        ([recorded, recorded], [key], []),
        ([recorded], [], [key]),
    ):
        with pytest.raises(AssertionError):
            invariants.check_commands(log, acknowledged=acknowledged, refused=refused)


@pytest.fixture
def recorded(database: str) -> Sequence[Recorded]:
    """A log in the database, with its read models as they ought to be."""
    log = Log()
    log.append(an_id("mail"), dataset_created(), rows_loaded())
    log.append(an_id("run"), *an_execution())
    with open_pool(database, min_size=1, max_size=1, name="test") as pool:
        mapper, recorder = EventMapper(), PostgresRecorder(pool)
        recorder.append([mapper.to_stored_event(each) for each in log.recorded])
        stored = EventLog(recorder).events(0, 100)
    with read_models(database) as models:
        models.project(stored)
    return stored


@pytest.mark.postgres
def test_everything_holds_of_an_undisturbed_log(
    database: str, recorded: Sequence[Recorded]
) -> None:
    acknowledged = [each.envelope.command_id for each in recorded]
    found = invariants.check(database, acknowledged=acknowledged, refused=["never sent"])
    assert [each.event for each in found] == [each.event for each in recorded]
    assert isinstance(found[1].event, DatasetRowsLoaded)


@pytest.mark.postgres
def test_an_event_that_vanished_is_found(database: str, recorded: Sequence[Recorded]) -> None:
    _tamper(database, "DELETE FROM stratal.events WHERE notification_id = %s", recorded[3])
    with pytest.raises(AssertionError):
        invariants.check_streams(database)


@pytest.mark.postgres
def test_an_event_that_was_changed_is_found(
    database: str, recorded: Sequence[Recorded], tmp_path: Path
) -> None:
    report = invariants.check_proof(database, tmp_path)
    assert (report.events, report.unsigned) == (len(recorded), 0)
    _tamper(
        database, "UPDATE stratal.events SET tenant = 'b' WHERE notification_id = %s", recorded[3]
    )
    with pytest.raises(AssertionError, match="CHANGED    position 4 "):
        invariants.check_proof(database, tmp_path)


@pytest.mark.postgres
def test_events_that_nobody_signs_are_found(
    database: str,
    recorded: Sequence[Recorded],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invariants, "QUIET_S", 0.2)
    with psycopg.connect(database) as idle:
        idle.execute("SELECT pg_advisory_lock(7303, 1)")
        with pytest.raises(AssertionError, match=f"{len(recorded)} events are not signed"):
            invariants.check_proof(database, tmp_path)


@pytest.mark.postgres
def test_a_row_that_was_changed_is_found(database: str, recorded: Sequence[Recorded]) -> None:
    _tamper(database, f"UPDATE datasets_v{Datasets.version}.dataset SET loads = %s", recorded[-1])
    with pytest.raises(AssertionError):
        invariants.check_read_models(database, recorded)


@pytest.mark.postgres
def test_a_projection_that_is_behind_is_found(
    database: str, recorded: Sequence[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "QUIET_S", 0.2)
    _tamper(database, "UPDATE stratal.projections SET position = %s", recorded[1])
    with pytest.raises(AssertionError, match="Behind the log"):
        invariants.check_read_models(database, recorded)


def _tamper(database: str, statement: str, at: Recorded) -> None:
    """Carry *statement* out with the position of *at*, as nobody but a database owner could."""
    with psycopg.connect(owner_of(database), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode(), [at.position])
