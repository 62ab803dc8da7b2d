"""A worker process over made-up commands, which notes in the database what it does.

``python -m tests.support.workers worker CONNINFO [BROKER_URL] [--jobs=N]`` runs one until SIGTERM,
or until it did N jobs.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID, uuid4

import psycopg

from application.commands import Command
from application.context import Context
from application.errors import StoreIsUnavailable
from application.tracing import NoTracing
from domain.errors import ConflictError
from domain.kernel import Envelope, Event, Recorded
from infrastructure.workers import child
from infrastructure.workers.carrier import Carrier
from infrastructure.workers.jobs import JobContext, JobWriter, Lane, Lanes
from infrastructure.workers.recycling import Wear
from infrastructure.workers.worker import WorkerProcess, worker_process
from tests.support.postgres import prepared, service_of

JOBS = "--jobs="
NO_WEAR = Wear()

NOTES = """
CREATE TABLE notes (
  n int, step text, pid int DEFAULT 0, context text, at timestamptz DEFAULT clock_timestamp()
)"""


class Refused(ConflictError):
    code: ClassVar[str] = "test.refused"


class Note(Command):
    """Note *n*, take *sleep_s*, note it again. *fault* makes it go wrong."""

    n: int
    sleep_s: float = 0
    fault: str = ""


class NoteApart(Note):
    """The same in a process of its own."""


class NoteAside(Note):
    """The same in another lane."""


LANES: Lanes = {
    Note: Lane("notes", time_limit_ms=60_000, max_retries=2),
    NoteApart: Lane("apart", time_limit_ms=60_000, isolated=True),
    NoteAside: Lane("aside", time_limit_ms=1_000, max_retries=0),
}
THREADS = {"notes": 4, "apart": 2, "aside": 1}


class Asked(Event):
    TOPIC: ClassVar[str] = "test.asked"

    commands: tuple[Note, ...]


def asked(*commands: Note) -> Recorded:
    """An event whose policy answers with *commands*."""
    envelope = Envelope(
        event_id=uuid4(),
        tenant="acme",
        actor="ann",
        command="Ask",
        command_id="c1",
        correlation_id=UUID(int=7),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    # Events copy what they hold as the declared type; the subclass is what we are after.
    event = Asked.model_construct(commands=commands)
    return Recorded(uuid4(), 1, event, datetime.now(UTC), envelope)


def reactions(recorded: Recorded) -> Iterable[Command]:
    assert isinstance(recorded.event, Asked)
    return recorded.event.commands


class Notebook:
    """The database of a test: queues jobs, reads the notes.

    Workers get its ``conninfo``, which is the service's; ``execute`` may do what its owner may.
    """

    def __init__(self, owner: str) -> None:
        self._owner, self.conninfo = owner, service_of(owner)
        self.write = JobWriter(LANES, reactions)

    def install(self) -> None:
        prepared(self._owner)
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(NOTES)

    def queue(self, *commands: Note) -> None:
        with psycopg.connect(self.conninfo) as connection, connection.cursor() as cursor:
            self.write(cursor, [asked(*commands)])

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, query: str) -> None:
        with psycopg.connect(self._owner, autocommit=True) as connection:
            connection.execute(query.encode())

    def number(self, query: str) -> int:
        [[value]] = self.rows(query)
        assert isinstance(value, int)
        return value

    def done(self) -> int:
        return self.number("SELECT count(DISTINCT n) FROM notes WHERE step = 'done'")

    def wait(self, query: str, timeout_s: float = 30) -> float:
        """Wait until *query* says true; return how many seconds that took."""
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            if self.rows(f"SELECT {query}") == [(True,)]:
                return time.monotonic() - began
            time.sleep(0.01)
        raise AssertionError(f"Not within {timeout_s} s: {query}; notes {self.rows('TABLE notes')}")

    def wait_done(self, number: int, timeout_s: float = 30) -> float:
        return self.wait(f"count(DISTINCT n) = {number} FROM notes WHERE step = 'done'", timeout_s)


class Notes:
    """The bus of a worker under test."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    def dispatch(self, command: Command, context: Context) -> None:
        assert isinstance(command, Note)
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            _note(connection, command.n, "start", context)
            time.sleep(command.sleep_s)
            _fail(connection, command)
            _note(connection, command.n, "done", context)


def _note(connection: psycopg.Connection, n: int, step: str, context: Context) -> None:
    connection.execute(
        "INSERT INTO notes (n, step, pid, context) VALUES (%s, %s, %s, %s)",
        [n, step, os.getpid(), repr(context)],
    )


def _fail(connection: psycopg.Connection, command: Note) -> None:
    match command.fault:
        case "refused":
            raise Refused("It may not be.")
        case "away once":
            query = "SELECT count(*) FROM notes WHERE n = %s"
            if connection.execute(query, [command.n]).fetchone() == (1,):
                raise StoreIsUnavailable("it rests")
        case "away four times":
            query = "SELECT count(*) FROM notes WHERE n = %s"
            if connection.execute(query, [command.n]).fetchone() != (5,):
                raise StoreIsUnavailable("it rests")
        case "bug once":
            query = "SELECT count(*) FROM notes WHERE n = %s"
            if connection.execute(query, [command.n]).fetchone() == (1,):
                raise RuntimeError("a bug")
        case "bug":
            raise RuntimeError("a bug\0")
        case _:
            return


def nothing_due() -> list[tuple[Command, JobContext]]:
    return []


def worker(conninfo: str, broker_url: str | None = None, wear: Wear = NO_WEAR) -> WorkerProcess:
    return worker_process(
        conninfo,
        dispatch=Notes(conninfo).dispatch,
        tracing=NoTracing(),
        lanes=LANES,
        threads=THREADS,
        due=nothing_due,
        broker_url=broker_url,
        wear=wear,
        child_command=[sys.executable, "-m", "tests.support.workers", "child", conninfo],
        told_to_all=[Note],
    )


@contextmanager
def running(process: WorkerProcess) -> Iterator[WorkerProcess]:
    process.start()
    try:
        yield process
    finally:
        process.stop(grace_ms=2_000)


@contextmanager
def spawned(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, once it is ready; it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.workers", "worker", *arguments],
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    with process, process.stderr as lines:
        while b"is ready" not in (line := lines.readline()):
            assert line, "the worker ended before it was ready"
        try:
            yield process
        finally:
            process.kill()


def _main(role: str, conninfo: str, *rest: str) -> int:
    logging.basicConfig(level=logging.INFO)
    if role == "worker":
        jobs = [int(each.removeprefix(JOBS)) for each in rest if each.startswith(JOBS)]
        url = next((each for each in rest if not each.startswith(JOBS)), None)
        worker(conninfo, url, Wear(jobs=sum(jobs))).run()
        return 0
    child.die_with(int(rest[0]))
    carrier = Carrier(Notes(conninfo).dispatch, NoTracing())
    return child.carry(child.read(sys.stdin.buffer.read(), LANES), carrier)


def main(arguments: Sequence[str]) -> int:
    return _main(*arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
