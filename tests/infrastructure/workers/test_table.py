"""The table of jobs: what it says and what a process knows are brought together again."""

from collections.abc import Iterator

import psycopg
import pytest

from infrastructure.workers.connections import CONNECTIONS_MAX, Connections
from infrastructure.workers.table import JobTable
from tests.support.workers import Note, Notebook

pytestmark = pytest.mark.postgres


@pytest.fixture
def table(notebook: Notebook) -> Iterator[JobTable]:
    table = JobTable(notebook.conninfo)
    yield table
    table.close()


def strays(table: JobTable) -> int:
    with psycopg.connect(table.conninfo, autocommit=True) as connection:
        return table.free_strays(connection)


def test_a_forgotten_outcome_brings_the_job_back(notebook: Notebook, table: JobTable) -> None:
    notebook.queue(Note(n=1), Note(n=2))
    one, two = table.claim("notes", 5)
    notebook.execute("CREATE TABLE before AS TABLE stratal.jobs")
    table.done(one)
    # A crash of the database forgets what was committed last.
    notebook.execute(
        "DELETE FROM stratal.jobs; "
        "INSERT INTO stratal.jobs OVERRIDING SYSTEM VALUE TABLE before; DROP TABLE before"
    )
    assert strays(table) == 1
    assert strays(table) == 0
    [again] = table.claim("notes", 5)
    assert again.message_id == one.message_id
    assert again.token > two.token


def test_a_claim_whose_answer_was_lost_is_freed(notebook: Notebook, table: JobTable) -> None:
    notebook.queue(Note(n=1))
    notebook.execute(f"UPDATE stratal.jobs SET owner = {table.owner}, claim = 1")
    assert strays(table) == 1
    assert len(table.claim("notes", 5)) == 1


def test_an_answer_that_comes_too_late_changes_nothing(notebook: Notebook, table: JobTable) -> None:
    notebook.queue(Note(n=1))
    [claim] = table.claim("notes", 1)
    other = JobTable(notebook.conninfo)
    with psycopg.connect(notebook.conninfo, autocommit=True) as connection:
        other.reap(connection, [table.owner])
    [taken] = other.claim("notes", 1)
    table.done(claim)
    table.again(claim, delay_ms=0)
    table.dead(claim, "late")
    assert notebook.rows("SELECT owner, claim, dead_at FROM stratal.jobs") == [
        (other.owner, taken.token, None)
    ]
    other.done(taken)
    other.close()
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 0


def test_a_job_that_kills_its_workers_is_given_up(notebook: Notebook, table: JobTable) -> None:
    notebook.queue(Note(n=1))
    with psycopg.connect(notebook.conninfo, autocommit=True) as connection:
        for _ in range(10):
            assert len(table.claim("notes", 1)) == 1
            assert table.reap(connection, [table.owner]) == 1
    assert table.claim("notes", 1) == []
    [[error]] = notebook.rows("SELECT error FROM stratal.jobs WHERE dead_at IS NOT NULL")
    assert "worker died" in str(error)


def test_what_was_not_heard_is_said_again(notebook: Notebook, table: JobTable) -> None:
    notebook.queue(Note(n=1))
    [claim] = table.claim("notes", 1)
    notebook.execute("ALTER TABLE stratal.jobs RENAME TO away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        table.done(claim)  # a mistake of ours is no outage
    notebook.execute("ALTER TABLE stratal.away RENAME TO jobs")
    notebook.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'stratal-worker' AND datname = current_database()"
    )
    table._connections._idle.clear()
    table._connections._conninfo = "host=127.0.0.1 port=1"
    table.done(claim)
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 1
    assert strays(table) == 0
    table._connections._conninfo = notebook.conninfo
    table.settle_late()
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 0


def test_jobs_come_oldest_first_and_none_before_its_time(
    notebook: Notebook, table: JobTable
) -> None:
    notebook.queue(*(Note(n=n) for n in range(5)))
    [first, *_] = claims = table.claim("notes", 5)
    assert [claim.message for claim in claims] == [
        body for (body,) in notebook.rows("SELECT message FROM stratal.jobs ORDER BY id")
    ]
    table.again(first, delay_ms=60_000, error="not now")
    assert table.claim("notes", 5) == []
    assert 59 < (table.due_in_s("notes") or 0) <= 60
    assert table.due_in_s("aside") is None


def test_connections_are_few_and_broken_ones_replaced(notebook: Notebook) -> None:
    connections = Connections(notebook.conninfo)
    with connections.borrowed() as first:
        pass
    with pytest.raises(psycopg.OperationalError), connections.borrowed() as again:
        again.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with connections.borrowed() as other:
        assert again is first is not other
        connections.close()
    assert other.closed
    assert connections._slots._value == CONNECTIONS_MAX


def test_no_more_jobs_are_claimed_than_there_is_room_for_whatever_the_plan(
    notebook: Notebook, table: JobTable
) -> None:
    """Where the planner expects one row, a nested loop runs a plain subquery once for each row."""
    notebook.queue(Note(n=0))
    assert len(table.claim("notes", 1)) == 1
    with psycopg.connect(notebook.conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE stratal.jobs")
    notebook.queue(*(Note(n=n) for n in range(1, 4)))
    assert len(table.claim("notes", 2)) == 2
