"""Runners of small read models over a test's own log, and what they have come to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

from application.context import within
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from projections.kernel import Projection
from tests.contracts.repository import CONTEXT, Notes
from tests.support.event_log import Pool


def note(log: EventLog, *reasons: str, id: UUID | None = None) -> int:
    with within(CONTEXT):
        notes = Notes(id or uuid4())
        return EventSourcedRepository(log, Notes).save(notes.note(*reasons)).position


def again(log: EventLog, stream: UUID, *reasons: str) -> int:
    with within(CONTEXT):
        repository = EventSourcedRepository(log, Notes)
        return repository.save(repository.get(stream).note(*reasons)).position


def table(pool: Pool, schema: str) -> list[tuple[Any, ...]]:
    with pool.connection() as connection:
        query = f"SELECT id, reason, times FROM {schema}.notes ORDER BY id".encode()
        return connection.execute(query).fetchall()


def state(pool: Pool) -> dict[str, tuple[int, bool, str | None]]:
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT name || '_v' || version, position, live, failure FROM stratal.projections"
        ).fetchall()
    return {name: (position, live, failure) for name, position, live, failure in rows}


def catch_up(runner: ProjectionRunner) -> None:
    while runner.step():
        pass


@contextmanager
def runner_of(
    conninfo: str,
    *projections: Projection,
    batch: int = 500,
    tell_parked: Callable[[], object] | None = None,
) -> Iterator[ProjectionRunner]:
    runner = ProjectionRunner(
        conninfo, projections, batch=batch, poll_s=0.05, tell_parked=tell_parked
    )
    try:
        yield runner
    finally:
        runner.close()


@contextmanager
def running(runner: ProjectionRunner) -> Iterator[Event]:
    stop, wake = Event(), Event()
    thread = Thread(target=runner.run, args=(stop, wake))
    thread.start()
    try:
        yield wake
    finally:
        stop.set()
        wake.set()
        thread.join()


def until(condition: Any, *, within_s: float = 10) -> None:
    deadline = monotonic() + within_s
    while not condition():
        assert monotonic() < deadline, "it did not come to that in time"
        sleep(0.01)
