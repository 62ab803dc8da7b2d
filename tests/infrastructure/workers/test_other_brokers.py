"""Jobs over Redis and RabbitMQ: the table stays the truth; brokers may lose and double."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from dramatiq import Message

from infrastructure.workers.relay import BrokerIsUnknown, carrier_broker
from tests.support.brokers import BrokerServer, rabbitmq_server, redis_server
from tests.support.workers import Note, NoteApart, Notebook, running, spawned, worker

pytestmark = [
    pytest.mark.brokers,
    pytest.mark.postgres,
    pytest.mark.worker,
    pytest.mark.slow,
]


@pytest.fixture(scope="module", params=[redis_server, rabbitmq_server], ids=["redis", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[BrokerServer]:
    start: Callable[[], AbstractContextManager[BrokerServer]] = request.param
    with start() as server:
        yield server


def test_jobs_are_done_once(notebook: Notebook, server: BrokerServer) -> None:
    with (
        running(worker(notebook.conninfo, server.url)),
        running(worker(notebook.conninfo, server.url)),
    ):
        for start in range(0, 300, 50):
            notebook.queue(*(Note(n=n) for n in range(start, start + 50)))
        notebook.queue(NoteApart(n=300))
        notebook.wait_done(301, timeout_s=30)
        notebook.wait("count(*) = 0 FROM stratal.jobs")
    assert notebook.number("SELECT count(*) FROM notes WHERE step = 'start'") == 301


def test_a_message_delivered_five_times_is_work_once(
    notebook: Notebook, server: BrokerServer
) -> None:
    doubling = carrier_broker(server.url, [])
    doubling.declare_queue("notes")
    with running(worker(notebook.conninfo, server.url)):
        for n in range(20):
            notebook.queue(Note(n=n, sleep_s=0.05))
            for (message,) in notebook.rows("SELECT message FROM stratal.jobs"):
                assert isinstance(message, bytes)
                for _ in range(4):
                    doubling.enqueue(Message.decode(message))
        notebook.wait_done(20)
        notebook.wait("count(*) = 0 FROM stratal.jobs")
        time.sleep(0.5)
    doubling.close()
    assert notebook.number("SELECT count(*) FROM notes WHERE step = 'start'") == 20


def test_an_obstacle_is_tried_again_and_a_bug_given_up(
    notebook: Notebook, server: BrokerServer
) -> None:
    with running(worker(notebook.conninfo, server.url)):
        notebook.queue(Note(n=1, fault="away once"))
        notebook.wait_done(1)
        notebook.execute(
            "INSERT INTO stratal.jobs (message_id, key, queue, message) VALUES "
            "('00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'notes', '\\xff')"
        )
        notebook.wait("count(*) = 1 FROM stratal.jobs WHERE dead_at IS NOT NULL")


def test_the_jobs_of_a_killed_worker_do_not_wait_for_the_broker(
    notebook: Notebook, server: BrokerServer
) -> None:
    with (
        spawned(notebook.conninfo, server.url) as victim,
        running(worker(notebook.conninfo, server.url)),
    ):
        for n in range(8):
            notebook.queue(Note(n=n, sleep_s=1.5))
        notebook.wait(f"count(*) > 0 FROM notes WHERE pid = {victim.pid}")
        victim.send_signal(signal.SIGKILL)
        # What the victim was carrying comes back in a second, what it had only fetched after
        # RESEND_S; Redis itself would take a quarter of an hour.
        notebook.wait_done(8)


def test_a_broker_that_was_away_has_lost_nothing(notebook: Notebook, server: BrokerServer) -> None:
    with running(worker(notebook.conninfo, server.url)):
        notebook.queue(Note(n=0))
        notebook.wait_done(1)
        server.stop()
        notebook.queue(*(Note(n=n) for n in range(1, 21)))
        time.sleep(1)
        server.start()
        assert notebook.wait_done(21, timeout_s=30) < 30


def test_what_the_broker_lost_is_sent_again(notebook: Notebook, server: BrokerServer) -> None:
    # Sent in a former life, and gone from the broker since: the row alone knows of it.
    notebook.queue(*(Note(n=n) for n in range(10)))
    notebook.execute("UPDATE stratal.jobs SET sends = 1, run_at = now() + interval '1 s'")
    with running(worker(notebook.conninfo, server.url)):
        notebook.wait_done(10)


def test_an_unknown_broker_is_refused_by_name() -> None:
    with pytest.raises(BrokerIsUnknown, match="kafka"):
        carrier_broker("kafka://127.0.0.1", [])
