"""Takes requests in from the API of this machine: stored and taken up in one commit.

The job of such a request is this worker's from the start. What it has no room for, or refuses, it
leaves to the API, which then does as it does without a line.
"""

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psycopg
from pydantic import ValidationError

from application.commands import Command
from application.context import Context
from application.errors import StoreIsUnavailable
from application.executions import RequestExecution, RunExecution, TakeUpExecution
from application.fresh import Fresh
from application.ports import Receipt
from application.tracing import Tracing
from domain.errors import DomainError
from infrastructure.line.place import listening
from infrastructure.line.wire import Answered, Handed, receive, send
from infrastructure.workers.born import Births
from infrastructure.workers.broker import PostgresBroker
from infrastructure.workers.table import JobTable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TakingIn:
    """How requests are taken in.

    Args:
        place: Where the API of this machine looks for workers.
        queue: Whose jobs those of executions are.
        births: Claims what ``dispatch`` queues.
        dispatch: Carries a command out.
        tracing: Shows it beneath the span of the API.
    """

    place: Path
    queue: str
    births: Births
    dispatch: Callable[[Command, Context], Receipt]
    tracing: Tracing


class Intake:
    """Listens for requests of executions; their jobs go to the consumer of *broker*."""

    def __init__(self, by: TakingIn, table: JobTable, broker: PostgresBroker) -> None:
        self._by, self._table, self._broker = by, table, broker
        self._address = listening(by.place, table.owner)
        self._paused = Fresh[bool](monotonic)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def start(self) -> None:
        """Listen from now on. Where that cannot be, requests come over the log alone."""
        try:
            bound = self._address.with_suffix(".tmp")
            self._listener.bind(str(bound))
            self._listener.listen()
            bound.rename(self._address)  # whoever finds it is answered
        except OSError as error:
            logger.warning("No requests are taken in at %s: %s", self._address, error)
            return
        threading.Thread(target=self._accept, name="intake", daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._address.unlink()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def look_again(self) -> None:
        """Queues may have been paused, or go on."""
        self._paused.forget_all()

    def take_in(self, request: RequestExecution, context: Context) -> Receipt | None:
        """Store *request* and take it up; ``None`` if there is no room, or it cannot be."""
        with self._broker.place(self._by.queue) as place:
            if place is None or self._is_paused():
                return None
            command = RunExecution(execution_id=request.execution_id)
            owner = self._table.owner
            with (
                self._table.asking() as token,
                self._by.births.expecting(command, owner, token) as birth,
            ):
                receipt = self._by.dispatch(TakeUpExecution(request=request), context)
                if receipt.is_repeat or birth.claim is None:
                    return receipt
                self._table.keep(birth.claim)
            place.fill(birth.claim)
            return receipt

    def _is_paused(self) -> bool:
        queue = self._by.queue
        return self._paused.get(queue, lambda: self._table.is_paused(queue))

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        # The caller hung up, or is of another version: then it does without a line.
        with line, suppress(OSError, ValidationError):
            while True:
                handed = Handed.model_validate_json(receive(line))
                send(line, self._answered(handed))

    def _answered(self, handed: Handed) -> Answered:
        context = handed.context
        with self._by.tracing.continued(context.traceparent, "intake RequestExecution"):
            try:
                return Answered(receipt=self.take_in(handed.request, context))
            except StoreIsUnavailable as error:  # it may be stored all the same
                raise ConnectionError from error
            except (DomainError, psycopg.OperationalError) as refusal:
                logger.debug("%s is left to the API: %s", handed.request.execution_id, refusal)
                return Answered()
