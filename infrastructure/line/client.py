"""Hands requests over to workers of this machine that have room for them."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from application.commands import Command
from application.context import Context
from application.errors import ConcurrentWrite
from application.executions import RequestExecution
from application.ports import Receipt
from domain.kernel import Recorded
from infrastructure.line.place import SUFFIX
from infrastructure.line.wire import Answered, Handed, receive, send

LOOK_AGAIN_S = 0.5
"""How long a worker that was started may not be known."""
PATIENCE_S = 5.0
"""How long a worker may take to store a request; then it is stored here, unless it was there."""


class LineIsLost(Exception):
    """A worker did not answer: nobody here knows whether it stored the request."""


class Line:
    """The workers that listen in *place*. Safe in threads."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._idle: dict[Path, deque[socket.socket]] = {}
        self._lock = threading.Lock()
        self._looks_at_s = 0.0
        self._turn = 0

    def hand_over(self, request: RequestExecution, context: Context) -> Receipt | None:
        """Have a worker store *request* and begin at once; ``None`` if none has room for it.

        Raises:
            LineIsLost: It may be stored.
        """
        handed = Handed(request=request, context=context)
        for address in self._addresses():
            if (line := self._connected(address)) is not None:
                answered = self._asked(line, handed)
                with self._lock:
                    self._idle.setdefault(address, deque()).append(line)
                if answered.receipt is not None:
                    return answered.receipt
        return None

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            for lines in self._idle.values():
                while lines:
                    lines.pop().close()

    def _addresses(self) -> Sequence[Path]:
        """The workers, each time another one first."""
        with self._lock:
            if (now_s := time.monotonic()) >= self._looks_at_s:
                self._looks_at_s = now_s + LOOK_AGAIN_S
                found = sorted(self._place.glob(f"*{SUFFIX}"))
                self._idle = {each: self._idle.get(each, deque()) for each in found}
            addresses = list(self._idle)
            self._turn += 1
        first = self._turn % len(addresses) if addresses else 0
        return addresses[first:] + addresses[:first]

    def _connected(self, address: Path) -> socket.socket | None:
        with self._lock, suppress(KeyError, IndexError):
            return self._idle[address].pop()
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(PATIENCE_S)
        try:
            line.connect(str(address))
        except OSError as error:
            line.close()
            if isinstance(error, ConnectionRefusedError):  # who listened there is dead
                address.unlink(missing_ok=True)
            return None
        return line

    def _asked(self, line: socket.socket, handed: Handed) -> Answered:
        try:
            send(line, handed)
            return Answered.model_validate_json(receive(line))
        except OSError as error:
            line.close()
            raise LineIsLost from error


class Lined:
    """Carries commands out; executions by a worker of this machine, if one has room."""

    def __init__(
        self,
        dispatch: Callable[[Command, Context], Receipt],
        line: Line,
        history: Callable[[UUID], Sequence[Recorded]],
    ) -> None:
        self._dispatch, self._line, self._history = dispatch, line, history

    def __call__(self, command: Command, context: Context) -> Receipt:
        """Carry *command* out, once, wherever that is."""
        if not isinstance(command, RequestExecution):
            return self._dispatch(command, context)
        try:
            receipt = self._line.hand_over(command, context)
        except LineIsLost:
            return self._here_or_there(command, context)
        return receipt or self._dispatch(command, context)

    def _here_or_there(self, request: RequestExecution, context: Context) -> Receipt:
        try:
            return self._dispatch(request, context)
        except ConcurrentWrite:  # nobody else knows the id: the worker had stored it
            stored = self._history(request.execution_id)
            last = max(stored, key=lambda each: each.originator_version)
            return Receipt(request.execution_id, last.originator_version, last.position or 0)
