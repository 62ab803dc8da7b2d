"""A worker process: a Dramatiq worker a queue, so that long work in one never delays another."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence

from dramatiq import Broker, Middleware, Worker
from dramatiq.encoder import JSONEncoder
from dramatiq.message import get_encoder
from dramatiq.middleware import TimeLimit

from application.commands import Command
from application.tracing import Tracing
from infrastructure.workers.actors import Carry, declare
from infrastructure.workers.broadcast import Broadcasts
from infrastructure.workers.broker import PostgresBroker
from infrastructure.workers.carrier import Carrier, Dispatch
from infrastructure.workers.children import COMMAND, Children
from infrastructure.workers.intake import Intake, TakingIn
from infrastructure.workers.jobs import Lanes
from infrastructure.workers.leading import Leading
from infrastructure.workers.pulse import Pulse
from infrastructure.workers.recycling import Recycling, Wear
from infrastructure.workers.relay import RELAY_EVERY_S, Relay, carrier_broker, idle_ms
from infrastructure.workers.settlement import Settlement
from infrastructure.workers.sweep import EVERY_S, Due, Sweep
from infrastructure.workers.table import JobTable

logger = logging.getLogger(__name__)

GRACE_MS = 8_000
"""What runs when the worker is told to stop has this long; then another worker takes it over."""

REPLACE_GRACE_MS = 120_000
"""The same when nobody waits for its end: it makes room for a fresh one."""


class Station:
    """The threads of one queue, with a broker of their own."""

    def __init__(self, broker: Broker, queue: str, threads: int, *, idle_ms: int) -> None:
        self.broker = broker
        self._worker = Worker(
            broker, queues={queue}, worker_threads=threads, worker_timeout=idle_ms
        )
        # What is fetched and not begun would wait here while another process is idle.
        self._worker.queue_prefetch = threads

    def start(self) -> None:
        self.broker.emit_after("process_boot")  # or no time limit ever fires
        self._worker.start()

    def drain(self) -> None:
        """Take no more jobs: one that is handed back now is not for this process."""
        if isinstance(self.broker, PostgresBroker):
            self.broker.drain()

    def stop(self, timeout_ms: int) -> None:
        """Finish what runs, for *timeout_ms* at most, and give back the rest."""
        self._worker.stop(timeout=timeout_ms)
        self.broker.close()

    @property
    def is_busy(self) -> bool:
        """Whether a job still runs; asked after ``stop``."""
        return any(thread.is_alive() for thread in self._worker.workers)


class WorkerProcess:
    """Everything of a worker that runs, started and stopped in the right order."""

    def __init__(
        self,
        table: JobTable,
        stations: Sequence[Station],
        leaders: Sequence[Leading],
        children: Children,
        broadcasts: Broadcasts,
        intake: Intake | None = None,
    ) -> None:
        if type(get_encoder()) is not JSONEncoder:
            raise RuntimeError("Messages must be JSON; another Dramatiq encoder is installed.")
        self._table, self._stations, self._leaders = table, stations, leaders
        self._children = children
        self._broadcasts = broadcasts
        self._intake = intake
        self._pulse = Pulse(table, self._wake, broadcasts.heard)
        self._stopping = threading.Event()
        self._grace_ms = GRACE_MS

    def replace(self, grace_ms: int = REPLACE_GRACE_MS) -> None:
        """Have ``run`` end once what runs has ended, or after *grace_ms*: a supervisor goes on."""
        if not self._stopping.is_set():
            self._grace_ms = grace_ms
            self._stopping.set()

    def start(self) -> None:
        """Begin to take jobs.

        Raises:
            TimeoutError: The database did not answer.
        """
        self._broadcasts.start()
        self._pulse.begin()
        for station in self._stations:
            station.start()
        for leader in self._leaders:
            leader.start()
        if self._intake is not None:
            self._intake.start()

    def stop(self, grace_ms: int = GRACE_MS) -> bool:
        """End within *grace_ms* or a little more; return whether nothing is left running.

        Children are ended at once and their jobs handed back. A job that runs on after the grace
        goes to another worker, so the caller must end this process then.
        """
        if self._intake is not None:
            self._intake.stop()
        for station in self._stations:
            station.drain()
        self._children.stop()
        for leader in self._leaders:
            leader.end()
        stops = [
            threading.Thread(target=station.stop, args=(grace_ms,)) for station in self._stations
        ]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join()
        self._pulse.end()
        self._table.close()
        return not any(station.is_busy for station in self._stations)

    def run(self) -> None:
        """Work until SIGTERM or Ctrl-C, or until it is replaced."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: self.replace(GRACE_MS))
        self.start()
        logger.info("Worker %d is ready.", os.getpid())
        self._stopping.wait()
        if not self.stop(self._grace_ms):
            os._exit(0)  # a thread that does not end must not keep the process alive

    def _wake(self, queue: str | None) -> None:
        if self._intake is not None:
            self._intake.look_again()
        for station in self._stations:
            if isinstance(station.broker, PostgresBroker):
                station.broker.wake(queue)


def worker_process(
    conninfo: str,
    *,
    dispatch: Dispatch,
    tracing: Tracing,
    lanes: Lanes,
    threads: Mapping[str, int],
    due: Due,
    broker_url: str | None = None,
    child_command: Sequence[str] = COMMAND,
    sweep_every_s: float = EVERY_S,
    wear: Wear = Wear(),  # noqa: B008 - a value, it never changes
    beside: Sequence[Leading] = (),
    told_to_all: Sequence[type[Command]] = (),
    taking_in: TakingIn | None = None,
) -> WorkerProcess:
    """A worker for all *lanes*, with *threads* for each queue.

    Jobs travel over Postgres unless *broker_url* names another broker. Once it shows more than
    *wear*, ``run`` ends. What is *beside* them is led, too; what is *told_to_all* workers each
    carries out. Requests are taken in as *taking_in* says.
    """
    table, children = JobTable(conninfo), Children(child_command)
    carrier, recycling = Carrier(dispatch, tracing), Recycling(wear)

    def broker() -> Broker:
        middleware: list[Middleware] = [Settlement(table), TimeLimit(), recycling]
        if broker_url is None:
            return PostgresBroker(table, middleware)
        return carrier_broker(broker_url, middleware)

    brokers = _brokers(lanes, broker, here=carrier.carry, apart=children.carry)
    idle = idle_ms(broker_url)
    stations = [Station(it, queue, threads[queue], idle_ms=idle) for queue, it in brokers.items()]
    leaders = [Leading(conninfo, "sweep", Sweep(due, lanes), every_s=sweep_every_s), *beside]
    if broker_url is not None:
        relay = Relay(brokers, table)
        leaders.append(Leading(conninfo, "relay", relay, every_s=RELAY_EVERY_S, on_jobs=True))
    broadcasts = Broadcasts(told_to_all, carrier.carry)
    intake = None if taking_in is None else _intake(taking_in, table, brokers)
    process = WorkerProcess(table, stations, leaders, children, broadcasts, intake)
    recycling.on_worn = process.replace
    return process


def _intake(taking_in: TakingIn, table: JobTable, brokers: Mapping[str, Broker]) -> Intake | None:
    broker = brokers[taking_in.queue]
    return Intake(taking_in, table, broker) if isinstance(broker, PostgresBroker) else None


def _brokers(
    lanes: Lanes, broker: Callable[[], Broker], *, here: Carry, apart: Carry
) -> dict[str, Broker]:
    """A broker for each queue, with an actor for every command of its lanes."""
    brokers = {queue: broker() for queue in {lane.queue for lane in lanes.values()}}
    for queue, served in brokers.items():
        own = {command: lane for command, lane in lanes.items() if lane.queue == queue}
        declare(served, own, here=here, apart=apart)
    return brokers
