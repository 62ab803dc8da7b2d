"""Requests over a line: to whoever listens and has room, and what becomes of them otherwise."""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from application.commands import Command
from application.context import Context
from application.errors import ConcurrentWrite
from application.executions import CancelExecution, RequestExecution
from application.ports import Receipt
from domain.access.values import Role
from domain.kernel import Recorded
from infrastructure.line import client
from infrastructure.line.client import Line, Lined, LineIsLost
from infrastructure.line.place import folder, listening
from infrastructure.line.wire import LONGEST_BYTES, Answered, Handed, receive, send
from tests.support.memory import MemoryLog
from tests.support.run_world import CONTEXT, World

ASKS = Context(
    tenant="acme",
    actor="ann",
    correlation_id=UUID(int=7),
    command_id="key",
    fingerprint="f" * 64,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    roles=frozenset({Role.ML_USER}),
)


def request(**more: object) -> RequestExecution:
    wished = {"execution_id": uuid4(), "program_id": uuid4(), "inputs": {"message": "It crashes."}}
    return RequestExecution.model_validate(wished | more)


Answer = Callable[[Handed], Answered | None]


class Listener:
    """Someone who listens as a worker does, and answers as a test says; it notes what it heard."""

    def __init__(self, place: Path, owner: int, answer: Answer) -> None:
        self.heard: list[Handed] = []
        self.callers = 0
        self._answer = answer
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(listening(place, owner)))
        self.socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                caller, _ = self.socket.accept()
                self.callers += 1
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, suppress(OSError):  # the caller hung up
            while True:
                handed = Handed.model_validate_json(receive(caller))
                self.heard.append(handed)
                if (answer := self._answer(handed)) is None:
                    return
                send(caller, answer)


def stored(handed: Handed) -> Answered:
    return Answered(receipt=Receipt(handed.request.execution_id, 2, 9))


def full(_: Handed) -> Answered:
    return Answered()


def dies(_: Handed) -> None:
    return None


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="line") as path:  # short enough for a socket
        yield Path(path)


@pytest.fixture
def listens(place: Path) -> Iterator[Callable[..., Listener]]:
    with ExitStack() as stack:

        def listener(owner: int, answer: Answer) -> Listener:
            return stack.enter_context(closing(Listener(place, owner, answer)))

        yield listener


@pytest.fixture
def line(place: Path) -> Iterator[Line]:
    with closing(Line(place)) as line:
        yield line


def test_a_worker_hears_the_request_as_it_was_made(
    line: Line, listens: Callable[..., Listener]
) -> None:
    worker = listens(1, stored)
    wish = request(deadline_s=3.5, inputs={"text": "ü\n\U0001f600", "n": [1, 2.5, None, True]})
    receipt = line.hand_over(wish, ASKS)
    assert receipt == Receipt(wish.execution_id, 2, 9)
    [handed] = worker.heard
    assert (handed.request, handed.context) == (wish, ASKS)
    assert handed.request.fingerprint == wish.fingerprint


def test_one_call_after_the_other_goes_over_one_connection(
    line: Line, listens: Callable[..., Listener]
) -> None:
    worker = listens(1, stored)
    for _ in range(5):
        assert line.hand_over(request(), CONTEXT)
    assert (len(worker.heard), worker.callers) == (5, 1)


def test_where_nobody_listens_nobody_takes_it(line: Line) -> None:
    assert line.hand_over(request(), CONTEXT) is None


def test_a_full_worker_leaves_it_to_one_with_room(
    line: Line, listens: Callable[..., Listener]
) -> None:
    listens(1, full), listens(2, stored)
    for _ in range(4):
        assert line.hand_over(request(), CONTEXT)


def test_workers_take_turns(line: Line, listens: Callable[..., Listener]) -> None:
    workers = [listens(number, stored) for number in (1, 2, 3)]
    for _ in range(9):
        line.hand_over(request(), CONTEXT)
    assert [len(worker.heard) for worker in workers] == [3, 3, 3]


def test_a_worker_that_died_is_forgotten_and_its_place_cleaned_up(
    line: Line, listens: Callable[..., Listener], place: Path
) -> None:
    listens(1, stored).close()
    assert listening(place, 1).exists()
    assert line.hand_over(request(), CONTEXT) is None
    assert not listening(place, 1).exists()


def test_a_worker_that_dies_before_it_answers_leaves_it_open(
    line: Line, listens: Callable[..., Listener]
) -> None:
    listens(1, dies)
    with pytest.raises(LineIsLost):
        line.hand_over(request(), CONTEXT)


def test_a_worker_that_does_not_answer_is_not_waited_for_long(
    line: Line, listens: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.05)
    over = threading.Event()

    def stuck(_: Handed) -> Answered:
        over.wait(30)
        return Answered()

    listens(1, stuck)
    with pytest.raises(LineIsLost):
        line.hand_over(request(), CONTEXT)
    over.set()


def test_what_is_too_long_to_be_ours_is_not_read() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.sendall((LONGEST_BYTES + 1).to_bytes(4))
        with pytest.raises(ConnectionError):
            receive(there)


def test_each_service_on_each_machine_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = folder(tmp_path, "dbname=one")
    assert folder(tmp_path, "dbname=one") == mine != folder(tmp_path, "dbname=two")
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert folder(tmp_path, "dbname=one") != mine


class Here:
    """A dispatch of this process that notes what it was given, and may refuse."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.did: list[Command] = []
        self.refusal = refusal

    def __call__(self, command: Command, context: Context) -> Receipt:
        del context
        self.did.append(command)
        if self.refusal is not None:
            raise self.refusal
        return Receipt(uuid4(), 1, 4)


def nothing(_: UUID) -> list[Recorded]:
    return []


def test_only_requests_of_executions_go_over_the_line(
    line: Line, listens: Callable[..., Listener]
) -> None:
    worker, here = listens(1, stored), Here()
    lined = Lined(here, line, nothing)
    cancel = CancelExecution(execution_id=uuid4())
    lined(cancel, CONTEXT), lined(request(), CONTEXT)
    assert (here.did, len(worker.heard)) == ([cancel], 1)


def test_what_nobody_has_room_for_is_stored_here(
    line: Line, listens: Callable[..., Listener]
) -> None:
    listens(1, full)
    here, wish = Here(), request()
    assert Lined(here, line, nothing)(wish, CONTEXT).position == 4
    assert here.did == [wish]


def test_what_a_dead_worker_did_not_store_is_stored_here(
    line: Line, listens: Callable[..., Listener]
) -> None:
    listens(1, dies)
    here, wish = Here(), request()
    assert Lined(here, line, nothing)(wish, CONTEXT).position == 4
    assert here.did == [wish]


def test_what_a_dead_worker_did_store_is_found_in_the_log(
    line: Line, listens: Callable[..., Listener]
) -> None:
    listens(1, dies)
    world = World()
    wish = request(program_id=world.a_program())
    world.do(wish)
    log: MemoryLog = world.log
    here = Here(ConcurrentWrite("execution", wish.execution_id))
    [first] = log.stream(wish.execution_id)
    receipt = Lined(here, line, log.stream)(wish, CONTEXT)
    assert receipt == Receipt(wish.execution_id, 1, first.position or 0)
