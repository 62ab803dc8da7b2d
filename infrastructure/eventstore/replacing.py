"""A version that is to replace a live one is verified first, beside the work of the projector."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Event
from typing import Final

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.eventstore.fold_from_zero import (
    EventCannotBeFolded,
    FoldIsUnderWay,
    without_limits,
)
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.projection_tables import schema_of
from infrastructure.eventstore.rebuild import Rebuilder, Verification
from projections.kernel import Projection

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 0.02
"""How long the projector waits for a verdict, at each step until it is there."""
AGAIN_S = 1.0
"""How long after it was in vain a verification begins again."""
CANCELS, CANCEL_S = 10, 0.5
"""How often, and how far apart, what is under way is cancelled; then it is left to itself."""


class _Abandoned(Exception):
    """The runner stops."""


class Replacements:
    """Verifies versions one after the other, in a thread with connections of its own."""

    def __init__(self, conninfo: str, mapper: EventMapper) -> None:
        self._rebuilder = Rebuilder(conninfo, mapper, self._connect)
        self._thread = ThreadPoolExecutor(1, "verification")
        self._begun: dict[str, Future[Verification | None]] = {}
        self._connections: list[Connection[TupleRow]] = []
        self._stop = Event()

    def verdict(self, projection: Projection) -> str | None:
        """What is wrong with the tables of *projection*; empty if nothing, ``None`` if unknown yet.

        It begins to find out when it is asked first, and again where that was in vain.
        """
        key = schema_of(projection)
        if key not in self._begun:
            self._begun[key] = self._thread.submit(self._verify, projection)
        if not wait([self._begun[key]], PATIENCE_S).done:
            return None
        try:
            found = self._begun.pop(key).result()
        except EventCannotBeFolded as error:
            return error.in_short
        if found is None:
            return None
        if found.is_well:
            return ""
        tables = ", ".join(each.table for each in found.differences)
        return f"Its tables differ from a fold from the beginning: {tables or 'some wait'}."

    def close(self) -> None:
        """Abandon what is under way, whatever it waits for."""
        self._stop.set()
        running = [each for each in self._begun.values() if not each.cancel()]
        for _ in range(CANCELS):
            for connection in self._connections:
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=CANCEL_S)
            if not wait(running, CANCEL_S).not_done:
                break
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _verify(self, projection: Projection) -> Verification | None:
        self._connections = []
        try:
            return self._rebuilder.verify(projection, self._go_on)
        except EventCannotBeFolded:
            raise
        except Exception as error:
            is_foreseen = isinstance(error, psycopg.Error | FoldIsUnderWay | _Abandoned)
            if not self._stop.is_set():
                logger.warning(
                    "%s could not be verified and will be again: %s",
                    schema_of(projection),
                    error,
                    exc_info=not is_foreseen,
                )
            self._stop.wait(AGAIN_S)
            return None

    def _connect(self, conninfo: str) -> Connection[TupleRow]:
        connection = without_limits(conninfo)
        self._connections.append(connection)
        return connection

    def _go_on(self, _position: int, _end: int) -> None:
        if self._stop.is_set():
            raise _Abandoned
