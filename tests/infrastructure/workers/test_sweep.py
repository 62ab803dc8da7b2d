"""The sweep: whatever becomes of the jobs, accepted work ends."""

from collections.abc import Iterable
from uuid import UUID

import psycopg
import pytest

from application.commands import Command
from infrastructure.workers.jobs import JobContext
from infrastructure.workers.leading import Leading
from infrastructure.workers.sweep import DEAD_MAX, Sweep
from tests.support.workers import LANES, Note, Notebook, running, worker

pytestmark = [pytest.mark.postgres, pytest.mark.worker]

CONTEXT = JobContext(tenant="acme", actor="ann", correlation_id=UUID(int=7))
ACCEPTED = [Note(n=n) for n in range(20)]


def due_of(notebook: Notebook) -> Sweep:
    def due() -> Iterable[tuple[Command, JobContext]]:
        done = {n for (n,) in notebook.rows("SELECT n FROM notes WHERE step = 'done'")}
        return [(command, CONTEXT) for command in ACCEPTED if command.n not in done]

    return Sweep(due, LANES)


def sweep_once(notebook: Notebook) -> None:
    with psycopg.connect(notebook.conninfo, autocommit=True) as connection:
        due_of(notebook)(connection)


def test_all_accepted_work_ends_though_every_job_was_lost(notebook: Notebook) -> None:
    notebook.queue(*ACCEPTED)
    notebook.execute("DELETE FROM stratal.jobs")
    leading = Leading(notebook.conninfo, "sweep", due_of(notebook), every_s=0.2)
    leading.start()
    with running(worker(notebook.conninfo)):
        notebook.wait_done(len(ACCEPTED))
    leading.end()


def test_what_is_queued_is_not_queued_again(notebook: Notebook) -> None:
    notebook.queue(*ACCEPTED[:5])
    sweep_once(notebook)
    sweep_once(notebook)
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == len(ACCEPTED)


def test_what_was_given_up_often_is_left_to_people(notebook: Notebook) -> None:
    for _ in range(DEAD_MAX + 2):
        sweep_once(notebook)
        notebook.execute("UPDATE stratal.jobs SET dead_at = now() WHERE dead_at IS NULL")
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == DEAD_MAX * len(ACCEPTED)


def test_nothing_due_queues_nothing(notebook: Notebook) -> None:
    notebook.execute("INSERT INTO notes (n, step) SELECT n, 'done' FROM generate_series(0, 19) n")
    sweep_once(notebook)
    assert notebook.number("SELECT count(*) FROM stratal.jobs") == 0


def test_one_leads_at_a_time_and_another_follows(notebook: Notebook) -> None:
    turns: list[str] = []
    first, second = (
        Leading(notebook.conninfo, "once", lambda _, who=who: turns.append(who), every_s=0.05)  # type: ignore[misc] # a default binds who
        for who in ("first", "second")
    )
    first.start()
    notebook.wait("count(*) > 0 FROM pg_locks WHERE locktype = 'advisory'")
    second.start()
    notebook.wait("pg_sleep(0.3) IS NOT NULL")
    assert set(turns) == {"first"}
    first.end()
    notebook.wait("pg_sleep(0.4) IS NOT NULL")
    second.end()
    assert turns[-1] == "second"
