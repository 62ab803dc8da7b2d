"""Queues paused and dead letters tried again by who runs the service; each is on record."""

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from domain.kernel import Recorded
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.main.queues import JobIsNotDead, QueueIsUnknown, QueueOffice, queue_office
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.settings import Settings
from tests.support.brokers import redis_server
from tests.support.workers import LANES, Note, NoteAside, Notebook, running, worker

pytestmark = [pytest.mark.postgres, pytest.mark.worker]

QUEUES = frozenset(lane.queue for lane in LANES.values())


@pytest.fixture
def pool(notebook: Notebook) -> Iterator[Pool]:
    with open_pool(notebook.conninfo, min_size=1, max_size=2, name="queues") as opened:
        yield opened


@pytest.fixture
def office(pool: Pool) -> QueueOffice:
    return QueueOffice(pool, "ada", QUEUES)


def told(pool: Pool, after: int) -> list[Recorded]:
    return list(EventLog(PostgresRecorder(pool)).events(after, 100))


def head(pool: Pool) -> int:
    return EventLog(PostgresRecorder(pool)).head()


def is_held_up(notebook: Notebook, office: QueueOffice, broker_url: str | None = None) -> None:
    """Pause ``notes``: its job waits, another queue's does not, and it goes on when resumed."""
    office.pause("notes", "It rests.")
    office.pause("notes", "Again.")
    with running(worker(notebook.conninfo, broker_url)):
        notebook.queue(Note(n=1), NoteAside(n=2))
        notebook.wait("count(*) = 1 FROM notes WHERE n = 2 AND step = 'done'")
        time.sleep(1.5)
        assert notebook.number("SELECT count(*) FROM notes WHERE n = 1") == 0
        states = {each["queue"]: each for each in office.states()}
        assert (states["notes"]["waiting"], states["notes"]["paused_because"]) == (1, "It rests.")
        assert states["aside"]["paused_because"] is None
        office.resume("notes")
        office.resume("notes")
        notebook.wait_done(2)


@pytest.mark.feature("JOB-05")
def test_job_05_a_paused_queue_waits_and_goes_on_and_the_trail_says_who_did_it(
    notebook: Notebook, office: QueueOffice, pool: Pool
) -> None:
    before = head(pool)
    is_held_up(notebook, office)
    events = told(pool, before)
    assert [each.event.TOPIC for each in events] == ["queue.paused", "queue.resumed"]
    assert {each.envelope.actor for each in events} == {"ada"}


@pytest.mark.brokers
@pytest.mark.feature("JOB-05")
def test_job_05_a_paused_queue_waits_over_a_broker_too(
    notebook: Notebook, office: QueueOffice
) -> None:
    with redis_server() as server:
        is_held_up(notebook, office, server.url)


@pytest.mark.feature("JOB-05")
def test_job_05_a_dead_letter_is_tried_again_as_if_it_had_never_been_tried(
    notebook: Notebook, office: QueueOffice, pool: Pool
) -> None:
    before = head(pool)
    with running(worker(notebook.conninfo)):
        notebook.queue(NoteAside(n=1, fault="bug once"))
        notebook.wait("count(*) = 1 FROM stratal.jobs WHERE dead_at IS NOT NULL")
        [dead] = office.dead()
        assert (dead["command"], dead["tenant"], dead["error"]) == (
            "NoteAside",
            "acme",
            "RuntimeError: a bug",
        )
        [(job_id,)] = notebook.rows("SELECT message_id FROM stratal.jobs")
        assert office.retry(job_id) == "NoteAside"  # type: ignore[arg-type]  # a uuid
        notebook.wait_done(1)
        notebook.wait("count(*) = 0 FROM stratal.jobs")
    [event] = told(pool, before)
    assert (event.event.TOPIC, event.envelope.tenant, event.envelope.actor) == (
        "job.retried",
        "acme",
        "ada",
    )
    with pytest.raises(JobIsNotDead):
        office.retry(job_id)  # type: ignore[arg-type]  # as above


def test_what_there_is_not_is_refused(notebook: Notebook, office: QueueOffice) -> None:
    with pytest.raises(QueueIsUnknown, match="'mail'"):
        office.pause("mail", "It rests.")
    with pytest.raises(JobIsNotDead):
        office.retry(uuid4())
    notebook.execute(
        "INSERT INTO stratal.jobs (message_id, key, queue, message, dead_at) VALUES "
        "('00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'notes', '\\xff', now())"
    )
    [dead] = office.dead()
    assert (dead["command"], dead["tenant"]) == (None, None)


def test_the_office_of_a_home_knows_the_queues_of_its_workers(database: str) -> None:
    with queue_office(Settings(database_url=database), "ada") as office:
        assert {"ml_inference", "ml_optimization"} <= {each["queue"] for each in office.states()}
