"""Tells the processes of the API what models say, over NOTIFY: soon, bounded, kept nowhere.

A follower who misses a part finds it on record, so whatever cannot be told in time is dropped.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from application.context import current
from application.retelling import Live
from application.streaming import Piece
from domain.values import Digest
from infrastructure.postgres.sessions import session

CHANNEL: Final = "stratal_live"
EVERY_S: Final = 0.05
"""What is said within so long goes together: people read no faster, and commits are not free."""

MOST_WAITING: Final = 500
"""Messages that wait for a database that is slow or away; more are dropped."""

_MOST_CHARACTERS: Final = 600
"""A message has 8 000 bytes at most, and a character up to twelve of them in JSON."""
_TELL: Final = "SELECT pg_notify(%s, told) FROM unnest(%s::text[]) AS told"

_log = logging.getLogger(__name__)


class LiveTeller:
    """Tells for all runs of a process, from a thread and over a connection of its own.

    Both begin with the first that is told: who has nothing to tell pays nothing.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = session(conninfo, "live")
        self._waiting: deque[_Message] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self.dropped = 0

    def audience(self, execution_id: UUID) -> "Followers":
        """Whoever follows an execution of the current tenant."""
        return Followers(self, current().tenant, execution_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def tell(self, tenant: str, execution_id: UUID, live: Live) -> None:
        """Have it told soon, with what else is said of the same field; returns at once."""
        with self._changed:
            last = self._waiting[-1] if self._waiting else None
            if last is not None and last.takes(tenant, execution_id, live):
                return
            if len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.extend(_messages(tenant, execution_id, live))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        connection: Connection[TupleRow] | None = None
        while (messages := self._next()) is not None:
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(self._conninfo, autocommit=True)
                connection.execute(_TELL, [CHANNEL, [each.text() for each in messages]])
            except psycopg.Error as error:
                self.dropped += len(messages)
                _log.warning("%d live messages are lost: %s", len(messages), error)
        if connection is not None:
            connection.close()

    def _next(self) -> "Sequence[_Message] | None":
        """What waits, once something does and a moment later; ``None`` at the end."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            self._changed.wait_for(lambda: self._is_closed, EVERY_S)
            messages = list(self._waiting)
            self._waiting.clear()
        return messages or None


class Followers:
    """Whoever follows one execution, in whatever process."""

    def __init__(self, teller: LiveTeller, tenant: str, execution_id: UUID) -> None:
        self._teller, self._tenant, self._execution_id = teller, tenant, execution_id

    @property
    def listens(self) -> bool:
        """Whether anybody wants to be told: nobody knows who follows, but somebody may."""
        return True

    def began(self, call: Digest, node: str) -> None:
        """Tell that the predictor *node* asks a model."""
        self._teller.tell(self._tenant, self._execution_id, Live(call, node, None))

    def said(self, call: Digest, node: str, piece: Piece) -> None:
        """Tell what the model said."""
        self._teller.tell(self._tenant, self._execution_id, Live(call, node, piece))


class _Message:
    """What is told at once, of one field of one call."""

    def __init__(self, tenant: str, execution_id: UUID, live: Live) -> None:
        self._of = tenant, execution_id, live.call
        self._node, self._piece = live.node, live.piece

    def takes(self, tenant: str, execution_id: UUID, live: Live) -> bool:
        """Whether it tells *live*, too: it goes on where this ends, and there is room."""
        mine, more = self._piece, live.piece
        if mine is None or more is None or self._of != (tenant, execution_id, live.call):
            return False
        text = mine.text + more.text
        goes_on = mine.field == more.field and more.offset == mine.offset + len(mine.text)
        if not goes_on or len(text) > _MOST_CHARACTERS:
            return False
        self._piece = mine._replace(text=text)
        return True

    def text(self) -> str:
        tenant, execution_id, call = self._of
        return json.dumps([tenant, str(execution_id), call, self._node, self._piece])


def _messages(tenant: str, execution_id: UUID, live: Live) -> list[_Message]:
    if live.piece is None:
        return [_Message(tenant, execution_id, live)]
    field, offset, text = live.piece
    parts = range(0, len(text), _MOST_CHARACTERS)
    return [
        _Message(
            tenant,
            execution_id,
            live._replace(piece=Piece(field, offset + at, text[at : at + _MOST_CHARACTERS])),
        )
        for at in parts
    ]


def live_of(payload: str) -> tuple[str, UUID, Live]:
    """The tenant, the execution and what is told of it, of a *payload*."""
    tenant, execution_id, call, node, piece = json.loads(payload)
    return tenant, UUID(execution_id), Live(call, node, None if piece is None else Piece(*piece))
