"""Requests that a worker takes in: their jobs are its own from the start, or there is no job."""

import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from uuid import uuid4

import psycopg
import pytest

from application.commands import Command
from application.context import Context
from application.errors import StoreIsUnavailable
from application.executions import RequestExecution, RunExecution, TakeUpExecution
from application.policies import reactions
from application.ports import Receipt
from application.tracing import NoTracing
from domain.execution.events import ExecutionRequested
from domain.kernel import Envelope, Recorded
from infrastructure.line.client import Line, LineIsLost
from infrastructure.line.wire import Handed, receive, send
from infrastructure.workers.born import Births
from infrastructure.workers.broker import ClaimedMessage, PostgresBroker, PostgresConsumer
from infrastructure.workers.intake import Intake, TakingIn
from infrastructure.workers.jobs import JobWriter
from infrastructure.workers.lanes import LANES
from infrastructure.workers.table import JobTable
from tests.support.run_world import CONTEXT
from tests.support.runs import ref
from tests.support.workers import Notebook, Refused

pytestmark = [pytest.mark.postgres, pytest.mark.worker]

QUEUE = "ml_inference"


@dataclass
class Desk:
    """Stores requests as a worker does, as far as their jobs go; or does what a test says."""

    notebook: Notebook
    births: Births = field(default_factory=Births)
    instead: Callable[[], Receipt] | None = None

    def dispatch(self, command: Command, context: Context) -> Receipt:
        assert isinstance(command, TakeUpExecution)
        if self.instead is not None:
            return self.instead()
        request = command.request
        event = ExecutionRequested(
            program_id=request.program_id, program_version=1, inputs=ref("inputs")
        )
        envelope = Envelope(
            event_id=uuid4(),
            tenant=context.tenant,
            actor=context.actor,
            command="RequestExecution",
            command_id="",
            correlation_id=context.correlation_id,
        )
        at = datetime.now(UTC)
        recorded = Recorded(request.execution_id, 1, event, at, envelope)
        write = JobWriter(LANES, reactions, self.births)
        with psycopg.connect(self.notebook.conninfo) as connection, connection.cursor() as cursor:
            write(cursor, [recorded])
        return Receipt(request.execution_id, 2, 1)


@dataclass
class Worker:
    """What of a worker process takes requests in; its one thread does nothing."""

    table: JobTable
    broker: PostgresBroker
    consumer: PostgresConsumer
    intake: Intake
    line: Line
    desk: Desk

    def jobs(self) -> list[tuple[object, ...]]:
        return self.desk.notebook.rows("SELECT queue, owner FROM stratal.jobs")

    def next(self) -> ClaimedMessage | None:
        """What the consumer hands to a thread, if there is anything within a second."""
        gives_up_s = time.monotonic() + 1
        while time.monotonic() < gives_up_s:
            if (message := next(self.consumer)) is not None:
                return cast(ClaimedMessage, message)
        return None


@pytest.fixture
def worker(notebook: Notebook) -> Iterator[Worker]:
    notebook.execute("TRUNCATE stratal.paused_queues")
    table, desk = JobTable(notebook.conninfo), Desk(notebook)
    broker = PostgresBroker(table, [])
    consumer = broker.consume(QUEUE, prefetch=1, timeout=50)
    with tempfile.TemporaryDirectory(prefix="line") as folder, closing(table):
        place = Path(folder)
        by = TakingIn(place, QUEUE, desk.births, desk.dispatch, NoTracing())
        intake = Intake(by, table, broker)
        intake.start()
        with closing(Line(place)) as line:
            yield Worker(table, broker, consumer, intake, line, desk)
        intake.stop()
        assert list(place.iterdir()) == []


def request() -> RequestExecution:
    return RequestExecution(execution_id=uuid4(), program_id=uuid4(), inputs={"message": "Hi."})


def test_its_job_is_claimed_where_it_is_stored(worker: Worker) -> None:
    wish = request()
    assert worker.line.hand_over(wish, CONTEXT) == Receipt(wish.execution_id, 2, 1)
    assert worker.jobs() == [(QUEUE, worker.table.owner)]
    message = worker.next()
    assert message is not None
    assert message.actor_name == RunExecution.__name__
    assert message.kwargs["body"] == {"execution_id": str(wish.execution_id)}
    worker.table.done(message.claim)
    assert worker.jobs() == []


def test_nobody_else_is_told_of_it(worker: Worker) -> None:
    with psycopg.connect(worker.desk.notebook.conninfo, autocommit=True) as listener:
        listener.execute("LISTEN stratal_jobs")
        assert worker.line.hand_over(request(), CONTEXT)
        assert list(listener.notifies(timeout=0.2)) == []


def test_it_is_no_stray(worker: Worker) -> None:
    worker.line.hand_over(request(), CONTEXT)
    with psycopg.connect(worker.desk.notebook.conninfo, autocommit=True) as connection:
        assert worker.table.free_strays(connection) == 0


def test_without_room_it_is_left_to_the_caller(worker: Worker) -> None:
    assert worker.line.hand_over(request(), CONTEXT)
    assert worker.line.hand_over(request(), CONTEXT) is None
    assert len(worker.jobs()) == 1
    message = worker.next()
    assert message is not None
    worker.consumer.ack(message)  # a thread is done with it
    assert worker.line.hand_over(request(), CONTEXT)


def test_of_a_paused_queue_nothing_is_taken_in(worker: Worker) -> None:
    worker.desk.notebook.execute(
        f"INSERT INTO stratal.paused_queues (queue, reason) VALUES ('{QUEUE}', 'The bill.')"
    )
    assert worker.line.hand_over(request(), CONTEXT) is None
    worker.desk.notebook.execute("TRUNCATE stratal.paused_queues")
    worker.intake.look_again()
    assert worker.line.hand_over(request(), CONTEXT)


def test_once_it_drains_a_worker_takes_nothing_in(worker: Worker) -> None:
    worker.broker.drain()
    assert worker.line.hand_over(request(), CONTEXT) is None
    assert worker.jobs() == []


def test_what_is_refused_is_left_to_the_caller_and_takes_no_room(worker: Worker) -> None:
    def refuse() -> Receipt:
        raise Refused("It may not be.")

    worker.desk.instead = refuse
    assert worker.line.hand_over(request(), CONTEXT) is None
    worker.desk.instead = None
    assert worker.line.hand_over(request(), CONTEXT)


def test_what_may_be_stored_or_not_is_left_open(worker: Worker) -> None:
    def away() -> Receipt:
        raise StoreIsUnavailable("it rests")

    worker.desk.instead = away
    with pytest.raises(LineIsLost):
        worker.line.hand_over(request(), CONTEXT)
    worker.desk.instead = None
    assert worker.line.hand_over(request(), CONTEXT)


def test_a_repeat_gets_the_first_ones_receipt_and_is_not_run(worker: Worker) -> None:
    first = Receipt(uuid4(), 5, 3, is_repeat=True)
    worker.desk.instead = lambda: first
    assert worker.line.hand_over(request(), CONTEXT) == first
    assert worker.next() is None
    worker.desk.instead = None
    assert worker.line.hand_over(request(), CONTEXT)


def test_what_comes_while_the_worker_closes_goes_to_another_one(worker: Worker) -> None:
    with worker.broker.place(QUEUE) as place:
        assert place is not None
        worker.desk.notebook.execute("TRUNCATE stratal.jobs")
        command = request()
        run = RunExecution(execution_id=command.execution_id)
        with (
            worker.table.asking() as token,
            worker.desk.births.expecting(run, worker.table.owner, token) as birth,
        ):
            worker.desk.dispatch(TakeUpExecution(request=command), CONTEXT)
            assert birth.claim is not None
            worker.table.keep(birth.claim)
        worker.consumer.close()
        place.fill(birth.claim)
    assert worker.jobs() == [(QUEUE, None)]


def test_jobs_of_the_table_are_still_taken_beside_those_of_the_line(worker: Worker) -> None:
    claimed = worker.line.hand_over(request(), CONTEXT)
    assert claimed is not None
    first = worker.next()
    assert first is not None
    worker.desk.births = Births()  # as an API writes it: nobody has the next one
    waiting = request()
    worker.desk.dispatch(TakeUpExecution(request=waiting), CONTEXT)
    worker.consumer.ack(first)
    worker.broker.wake(QUEUE)
    second = worker.next()
    assert second is not None
    assert second.kwargs["body"] == {"execution_id": str(waiting.execution_id)}


def test_where_no_socket_can_be_the_worker_does_without(notebook: Notebook, tmp_path: Path) -> None:
    table, desk = JobTable(notebook.conninfo), Desk(notebook)
    by = TakingIn(tmp_path / "missing", QUEUE, desk.births, desk.dispatch, NoTracing())
    intake = Intake(by, table, PostgresBroker(table, []))
    intake.start()
    intake.stop()
    table.close()


def test_a_caller_of_another_version_does_without(worker: Worker) -> None:
    newer = Handed.model_construct(request={"of": "tomorrow"}, context={})
    [address] = worker.intake._by.place.iterdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.connect(str(address))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that is what is wrong with it
            send(caller, newer)
        with pytest.raises(ConnectionError):
            receive(caller)
    assert worker.line.hand_over(request(), CONTEXT)


def test_a_caller_that_hangs_up_takes_nobody_along(worker: Worker) -> None:
    [address] = worker.intake._by.place.iterdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.connect(str(address))
        caller.sendall(b"\0\0")
    assert worker.line.hand_over(request(), CONTEXT)
