"""The read models kept by the real projector from the real log."""

from collections.abc import Iterator

import pytest

from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.postgres.pool import open_pool
from projections.program_catalog import program
from projections.registry import PROJECTIONS
from tests.support.histories import TENANT
from tests.support.projecting import ReadModels, for_tenant, read_models
from tests.support.stories import everything

pytestmark = pytest.mark.postgres


@pytest.fixture
def log(database: str) -> Iterator[EventLog]:
    with open_pool(database, min_size=1, max_size=2, name="log") as pool:
        yield EventLog(PostgresRecorder(pool))


def follow(database: str, *, batch: int = 7) -> None:
    """A runner that starts, catches up with the log, and goes."""
    runner = ProjectionRunner(database, PROJECTIONS, batch=batch)
    try:
        while runner.step():
            pass
    finally:
        runner.close()


def test_what_it_keeps_is_the_fold_of_the_log(
    database: str, log: EventLog, models: ReadModels
) -> None:
    log.append(everything().recorded)
    follow(database)
    models.project(for_tenant("by hand", log.events(0, 1000)))
    with read_models(database) as kept:
        assert kept.dump(TENANT) == models.dump("by hand")


def test_a_runner_that_starts_anew_goes_on_where_it_was(database: str, log: EventLog) -> None:
    history = everything().recorded
    log.append(history[:20])
    follow(database)
    log.append(history[20:])
    follow(database)
    with read_models(database) as kept:
        kept.store.wait_for(log.head(), 0.1)
        before = kept.dump(TENANT)
        follow(database)
        assert kept.dump(TENANT) == before
        row = program(kept.store, "sorting", tenant=TENANT)
        assert row is not None
        assert row.retired_because == "Old."
