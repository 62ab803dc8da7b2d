"""A version that is to replace a live one is verified first, beside the work of the projector."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Final

import psycopg

from infrastructure.eventstore.fold_from_zero import EventCannotBeFolded, FoldIsUnderWay
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.projection_tables import schema_of
from infrastructure.eventstore.rebuild import Rebuilder, Verification
from projections.kernel import Projection

PATIENCE_S: Final = 0.02
"""How long the projector waits for a verdict, at each step until it is there."""


class _Abandoned(Exception):
    """The runner stops."""


class Replacements:
    """Verifies versions one after the other, in a thread with connections of its own."""

    def __init__(self, conninfo: str, mapper: EventMapper) -> None:
        self._rebuilder = Rebuilder(conninfo, mapper)
        self._thread = ThreadPoolExecutor(1, "verification")
        self._begun: dict[str, Future[Verification]] = {}
        self._stop = Event()

    def verdict(self, projection: Projection) -> str | None:
        """What is wrong with the tables of *projection*; empty if nothing, ``None`` if unknown yet.

        It begins to find out when it is asked first, and again where the database went away.
        """
        key = schema_of(projection)
        if key not in self._begun:
            self._begun[key] = self._thread.submit(self._verify, projection)
        if not wait([self._begun[key]], PATIENCE_S).done:
            return None
        try:
            found = self._begun.pop(key).result()
        except (psycopg.Error, FoldIsUnderWay):
            return None
        except EventCannotBeFolded as error:
            return str(error)
        if found.is_well:
            return ""
        tables = ", ".join(each.table for each in found.differences)
        return f"Its tables differ from a fold from the beginning: {tables or 'some wait'}."

    def close(self) -> None:
        """Abandon what is under way."""
        self._stop.set()
        self._thread.shutdown(cancel_futures=True)

    def _verify(self, projection: Projection) -> Verification:
        return self._rebuilder.verify(projection, self._go_on)

    def _go_on(self, _position: int, _end: int) -> None:
        if self._stop.is_set():
            raise _Abandoned
