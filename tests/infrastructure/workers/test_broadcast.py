"""What is told to all workers: each carries it out once, and none stumbles over it."""

import psycopg
import pytest

from infrastructure.workers.broadcast import BROADCAST, BroadcastWriter
from tests.support.workers import Note, Notebook, asked, reactions, running, worker


def tell(notebook: Notebook, *commands: Note) -> None:
    with psycopg.connect(notebook.conninfo) as connection, connection.cursor() as cursor:
        BroadcastWriter(reactions)(cursor, [asked(*commands)])


@pytest.mark.feature("PRG-17")
def test_prg_17_each_worker_does_for_itself_what_all_are_told(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)), running(worker(notebook.conninfo)):
        tell(notebook, Note(n=1))
        notebook.wait("count(*) = 2 FROM notes WHERE n = 1 AND step = 'done'")
    [(context,)] = notebook.rows("SELECT DISTINCT context FROM notes WHERE step = 'done'")
    assert "tenant='acme', actor='ann'" in str(context)
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 0


def test_what_was_not_committed_is_told_to_nobody(notebook: Notebook) -> None:
    with running(worker(notebook.conninfo)):
        with psycopg.connect(notebook.conninfo) as connection:
            with connection.cursor() as cursor:
                BroadcastWriter(reactions)(cursor, [asked(Note(n=1))])
            connection.rollback()
        tell(notebook, Note(n=2))
        notebook.wait("count(*) = 1 FROM notes WHERE n = 2 AND step = 'done'")
    assert notebook.number("SELECT count(*) FROM notes WHERE n = 1") == 0


def test_a_worker_goes_on_after_what_it_cannot_read_or_carry_out(
    notebook: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    with running(worker(notebook.conninfo)):
        with psycopg.connect(notebook.conninfo) as connection:
            for told in ("nonsense", '["OfTheFuture", "x", {}]', '["Note", "x", {"body": {}}]'):
                connection.execute("SELECT pg_notify(%s, %s)", [BROADCAST, told])
        tell(notebook, Note(n=1, fault="bug"), Note(n=2))
        notebook.wait("count(*) = 1 FROM notes WHERE n = 2 AND step = 'done'")
    unread = [each for each in caplog.messages if "was not carried out here" in each]
    assert len(unread) == 4
