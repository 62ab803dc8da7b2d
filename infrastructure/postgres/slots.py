"""So many at once and no more, over all processes on one database: slots held by advisory locks.

The server frees the slots of a process that dies with its session, so none can leak. Whoever waits
in a process does so in the order of coming; of each process one asks the database.
"""

import hashlib
import random
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, LiteralString

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.postgres.sessions import session

LOOK_EVERY_S: Final = 0.005
"""Between two looks for a free slot; drawn out by up to as much again, so that all get some."""

# A session may take a lock that it holds again: what it holds is never asked for.
_TAKE: LiteralString = """
    SELECT slot FROM unnest(%s::int[]) AS slot WHERE pg_try_advisory_lock(%s, slot) LIMIT 1
"""
_GIVE: LiteralString = "SELECT pg_advisory_unlock(%s, %s)"


class NoSlot(Exception):
    """None became free in time."""


class Slots:
    """The *limit* slots of *name*; safe to use from several threads."""

    def __init__(self, conninfo: str, name: str, limit: int) -> None:
        self._where = session(conninfo, f"slots {name}")
        digest = hashlib.sha256(f"stratal:slots:{name}".encode()).digest()
        self._key = int.from_bytes(digest[:4], "big", signed=True)
        self._all = range(1, limit + 1)
        self._held: set[int] = set()
        self._asking = threading.Lock()
        self._line: deque[threading.Event] = deque()
        self._changing = threading.Lock()
        self._session: Connection[TupleRow] | None = None

    @contextmanager
    def one(self, *, within_s: float, stopped: threading.Event) -> Generator[None, None, None]:
        """Hold a slot within the block, once there is one.

        Raises:
            NoSlot: None was free within *within_s* seconds, or *stopped* was set.
            psycopg.OperationalError: The database cannot be reached.
        """
        held_in, slot = self._awaited(time.monotonic() + within_s, stopped)
        try:
            yield
        finally:
            self._give(held_in, slot)

    def close(self) -> None:
        """Give up the session, and every slot with it."""
        with self._asking:
            self._lost()

    def _awaited(self, ends_s: float, stopped: threading.Event) -> tuple[Connection[TupleRow], int]:
        mine = threading.Event()
        with self._changing:
            self._line.append(mine)
            if self._line[0] is mine:
                mine.set()
        try:
            while not mine.wait(LOOK_EVERY_S):
                _go_on(ends_s, stopped)
            while (taken := self._take()) is None:
                _go_on(ends_s, stopped)
                stopped.wait(LOOK_EVERY_S * (1 + random.random()))  # noqa: S311 - no secret
            return taken
        finally:
            with self._changing:
                self._line.remove(mine)
                if self._line:
                    self._line[0].set()

    def _take(self) -> tuple[Connection[TupleRow], int] | None:
        with self._asking:
            free = [slot for slot in self._all if slot not in self._held]
            if not free:
                return None
            held_in, row = self._asked(free)
            if row is None:
                return None
            self._held.add(slot := int(row[0]))
            return held_in, slot

    def _asked(self, free: Sequence[int]) -> tuple[Connection[TupleRow], TupleRow | None]:
        while True:
            is_old = self._session is not None
            held_in = self._connected()
            try:
                return held_in, held_in.execute(_TAKE, [_shuffled(free), self._key]).fetchone()
            except psycopg.OperationalError:
                self._lost()
                if not is_old:
                    raise

    def _give(self, held_in: Connection[TupleRow], slot: int) -> None:
        with self._asking:
            if held_in is not self._session:
                return  # the slot went with the session that held it
            self._held.discard(slot)
            try:
                held_in.execute(_GIVE, [self._key, slot])
            except psycopg.Error:
                self._lost()

    def _connected(self) -> Connection[TupleRow]:
        if self._session is None:
            self._session = psycopg.connect(self._where, autocommit=True)
        return self._session

    def _lost(self) -> None:
        """Forget the session: a new one takes slots of its own."""
        gone, self._session = self._session, None
        self._held.clear()
        if gone is not None:
            with suppress(psycopg.Error):
                gone.close()


def _go_on(ends_s: float, stopped: threading.Event) -> None:
    if stopped.is_set() or time.monotonic() >= ends_s:
        raise NoSlot


def _shuffled(slots: Sequence[int]) -> list[int]:
    """Processes that begin at the same slot would only meet there."""
    return random.sample(slots, len(slots))
