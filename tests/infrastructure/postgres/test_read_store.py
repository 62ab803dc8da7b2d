from collections.abc import Iterator
from threading import Timer
from time import monotonic
from uuid import uuid4

import pytest
from psycopg.errors import ReadOnlySqlTransaction, UndefinedTable
from psycopg_pool import ConnectionPool

from application.context import within
from application.errors import ProjectionIsLate, StoreIsUnavailable
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.rebuild import Rebuilder
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.postgres.read_store import PostgresReadStore
from projections.kernel import Projection
from tests.contracts.repository import CONTEXT, Notes
from tests.support.projections import FussyBoard, NoteBoard, RebuiltNoteBoard

REASONS = "SELECT reason, times FROM notes WHERE reason = %(reason)s"


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


def test_rows_are_read_by_the_names_of_their_columns(database: str, pool: Pool) -> None:
    note(pool, "a", "b")
    project(database, NoteBoard())
    store = PostgresReadStore(pool, [NoteBoard()])
    assert store.rows(REASONS, {"reason": "b"}) == [{"reason": "b", "times": 2}]
    assert store.rows(REASONS, {"reason": "a"}) == []


def test_a_bare_name_means_the_live_version(database: str, pool: Pool) -> None:
    note(pool, "a")
    project(database, NoteBoard())
    with pool.connection() as connection:
        connection.execute("TRUNCATE note_board_v1.notes")
    assert PostgresReadStore(pool, [NoteBoard()]).rows(REASONS, {"reason": "a"}) == []
    project(database, RebuiltNoteBoard())
    rows = PostgresReadStore(pool, [RebuiltNoteBoard()]).rows(REASONS, {"reason": "a"})
    assert rows == [{"reason": "a", "times": 1}]


def test_nothing_can_be_written_through_it(database: str, pool: Pool) -> None:
    project(database, NoteBoard())
    store = PostgresReadStore(pool, [NoteBoard()])
    with pytest.raises(ReadOnlySqlTransaction):
        store.rows("DELETE FROM notes RETURNING 1 AS one", {})
    assert store.rows("SELECT 1 AS one", {}) == [{"one": 1}]


def test_tables_that_no_runner_has_made_yet_are_late(database: str, pool: Pool) -> None:
    store = PostgresReadStore(pool, [NoteBoard()])
    with pytest.raises(ProjectionIsLate):
        store.rows(REASONS, {"reason": "a"})
    project(database, NoteBoard())
    assert store.rows(REASONS, {"reason": "a"}) == []


def test_a_table_that_never_will_be_is_a_mistake(database: str, pool: Pool) -> None:
    project(database, NoteBoard())
    with pytest.raises(UndefinedTable):
        PostgresReadStore(pool, [NoteBoard()]).rows("SELECT * FROM notse", {})


def test_waiting_ends_when_every_projection_has_come_as_far(database: str, pool: Pool) -> None:
    both = [NoteBoard(), FussyBoard()]
    head = note(pool, "a")
    store = PostgresReadStore(pool, both)
    timer = Timer(0.2, project, (database, *both))
    timer.start()
    started = monotonic()
    store.wait_for(head, 5)
    assert 0.2 <= monotonic() - started < 4
    timer.join()
    store.wait_for(0, 0)


def test_whoever_waited_reads_the_version_that_was_switched_to(database: str, pool: Pool) -> None:
    note(pool, "a")
    project(database, NoteBoard())
    store = PostgresReadStore(pool, [NoteBoard()])
    assert len(store.rows(REASONS, {"reason": "a"})) == 1
    Rebuilder(database).rebuild(RebuiltNoteBoard())
    head = note(pool, "a")
    project(database, RebuiltNoteBoard())
    store.wait_for(head, 5)
    assert len(store.rows(REASONS, {"reason": "a"})) == 2


def test_waiting_ends_in_time_and_says_how_far_they_came(database: str, pool: Pool) -> None:
    head = note(pool, "a")
    project(database, NoteBoard())
    note(pool, "b")
    with pytest.raises(ProjectionIsLate) as late:
        PostgresReadStore(pool, [NoteBoard()]).wait_for(head + 1, 0.1)
    assert (late.value.position, late.value.reached) == (head + 1, head)
    with pytest.raises(ProjectionIsLate):
        PostgresReadStore(pool, [NoteBoard(), FussyBoard()]).wait_for(1, 0)


def test_a_database_that_does_not_answer_is_said_so(database: str) -> None:
    options = {"autocommit": True}
    with (
        ConnectionPool(database, kwargs=options, min_size=1, max_size=1, timeout=0.1) as pool,
        pool.connection(timeout=10),
        pytest.raises(StoreIsUnavailable),
    ):
        PostgresReadStore(pool, [NoteBoard()]).rows(REASONS, {"reason": "a"})
