"""Redis and RabbitMQ restarted, stopped, doubling and reordering under real executions."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import pytest
from dramatiq import Broker, Message

from infrastructure.workers.relay import carrier_broker
from tests.support import invariants
from tests.support.brokers import BrokerServer, rabbitmq_server, redis_server
from tests.support.postgres import copy_of
from tests.support.service import Service, until
from tests.support.triage import Triage, TriageLm

pytestmark = [
    pytest.mark.brokers,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.worker,
    pytest.mark.xdist_group("broker faults"),
]

QUEUE: Final = "ml_inference"
AGAIN_S: Final = 60.0
"""What the broker lost is sent again by then."""


@dataclass(frozen=True)
class World:
    """The service over a broker."""

    server: BrokerServer
    service: Service
    triage: Triage

    def request(self, count: int) -> list[str]:
        """Where to follow so many executions, each of them accepted."""
        path, http = f"{self.triage.program}/execute", self.triage.http
        return [
            http.begin(path, {"inputs": {"message": f"Number {it}"}}, wait=0) for it in range(count)
        ]

    def all_end(self, paths: Sequence[str], *, timeout_s: float = AGAIN_S) -> None:
        """Wait for *paths*; then no job is left, none was given up, and every invariant holds."""
        began = time.monotonic()
        for path in paths:
            left_s = max(1.0, timeout_s - (time.monotonic() - began))
            assert self.triage.http.follow(path, timeout_s=left_s)["status"] == "completed"
        jobs = "SELECT queue, dead_at, error FROM stratal.jobs"
        until(lambda: self.service.rows(jobs), lambda rows: rows == [], timeout_s=30)
        streams = invariants.by_stream(invariants.check(self.service.database))
        invariants.check_ended(streams)
        booked = sum(len(invariants.calls(stream)) for stream in streams.values())
        assert booked == self.service.lm.calls, "nothing ran twice (I-07)"

    def messages(self) -> Sequence["Message[None]"]:
        """What the table of jobs has now, as it travels."""
        rows = self.service.rows(f"SELECT message FROM stratal.jobs WHERE queue = '{QUEUE}'")
        return [Message.decode(message) for (message,) in rows]

    def carrier(self) -> Broker:
        """A way to the broker that is the test's own."""
        broker = carrier_broker(self.server.url, [])
        broker.declare_queue(QUEUE)
        return broker


@pytest.fixture(scope="module", params=[redis_server, rabbitmq_server], ids=["redis", "rabbitmq"])
def world(request: pytest.FixtureRequest, template: str, cluster: str) -> Iterator[World]:
    start: Callable[[], AbstractContextManager[BrokerServer]] = request.param
    argv = ("-m", "tests.support.impatient_worker")
    with start() as server, copy_of(template, cluster) as database, TriageLm() as lm:
        told = {"STRATAL_BROKER_URL": server.url}
        with Service(database, lm, workers=2, worker_argv=argv, environment=told) as service:
            yield World(server, service, Triage(service.http()).create())


def test_f_13_all_accepted_executions_end_though_the_broker_restarts(world: World) -> None:
    """Redis forgetting and keeping, the application of RabbitMQ; all end within 60 s of each."""
    world.service.lm.script.latency_ms = 100
    for restart in world.server.restarts:
        before = world.request(20)
        restart()
        world.all_end([*before, *world.request(5)])
    world.service.lm.script.latency_ms = 0


@pytest.mark.feature("JOB-02")
def test_f_15_messages_delivered_1_to_5_times_are_work_once(world: World) -> None:
    """As on paper: 1 end and 1 booking each, and here even 1 call each."""
    chance, carrier = random.Random(15), world.carrier()
    world.service.lm.script.latency_ms = 100
    paths: list[str] = []
    doubled = 0
    for _ in range(20):
        paths += world.request(1)
        for message in world.messages():
            for _ in range(chance.randrange(5)):
                carrier.enqueue(message)
                doubled += 1
    world.all_end(paths)
    world.service.lm.script.latency_ms = 0
    carrier.close()
    assert doubled > 20


def test_f_16_messages_shuffled_and_delayed_lead_to_no_illegal_step(world: World) -> None:
    """A window of 30 messages for 100, delays of up to 2 s for 30; some come once more, late."""
    chance, carrier = random.Random(16), world.carrier()
    pause = f"INSERT INTO stratal.paused_queues (queue, reason) VALUES ('{QUEUE}', 'x') RETURNING 1"
    world.service.rows(pause)
    paths = world.request(30)
    messages = list(world.messages())
    assert len(messages) == 30
    sent = "UPDATE stratal.jobs SET sends = 1, run_at = now() + interval '4 s' RETURNING 1"
    world.service.rows(sent)  # the relay leaves them to us
    world.service.rows("DELETE FROM stratal.paused_queues RETURNING 1")
    window = [*messages, *messages[::3]]
    chance.shuffle(window)
    for message in window:
        carrier.enqueue(message)
        time.sleep(chance.uniform(0, 2 / len(window)))
    world.all_end(paths)
    for message in messages[::5]:
        carrier.enqueue(message)  # after the end of what they are about
    world.all_end(world.request(2))
    carrier.close()


def test_f_17_while_the_broker_is_away_all_is_accepted_and_then_drained(world: World) -> None:
    """Away for 3 s instead of 60; 0 writes refused, all ended within 30 s of its return."""
    world.server.stop()
    with ThreadPoolExecutor(4) as threads:
        accepted = [path for part in threads.map(world.request, [8] * 4) for path in part]
    time.sleep(3)
    assert len(accepted) == 32
    assert len(world.messages()) == 32, "what was accepted waits in the table"
    world.server.start()
    world.all_end(accepted, timeout_s=30)
