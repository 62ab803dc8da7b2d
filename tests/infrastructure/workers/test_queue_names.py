"""What waited when the queues got the names they have is carried out under these names."""

import psycopg
import pytest

from infrastructure.workers.jobs import decoded
from infrastructure.workers.migrations import MIGRATIONS
from tests.support.workers import Note, Notebook, running, worker

pytestmark = pytest.mark.postgres


def test_a_job_that_waits_is_moved_to_its_queue_with_its_message(notebook: Notebook) -> None:
    notebook.queue(Note(n=1))
    notebook.execute("UPDATE stratal.jobs SET queue = 'executions'")
    notebook.execute(
        "UPDATE stratal.jobs SET message = convert_to(replace(convert_from(message, 'UTF8'),"
        ' \'"queue_name":"notes"\', \'"queue_name":"executions"\'), \'UTF8\')'
    )
    with psycopg.connect(notebook.conninfo, autocommit=True) as connection:
        connection.execute(dict(MIGRATIONS)["workers_queues"])
    [(queue, message)] = notebook.rows("SELECT queue, message FROM stratal.jobs")
    assert isinstance(message, bytes)
    assert (queue, decoded(message).queue_name) == ("ml_inference", "ml_inference")


def test_what_is_in_another_queue_stays_there(notebook: Notebook) -> None:
    notebook.queue(Note(n=1))
    with psycopg.connect(notebook.conninfo, autocommit=True) as connection:
        connection.execute(dict(MIGRATIONS)["workers_queues"])
    with running(worker(notebook.conninfo)):
        notebook.wait_done(1)
