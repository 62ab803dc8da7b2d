"""Of equal things to be made one is under way at a time, over all processes on one database.

Whoever makes it holds an advisory lock, which the server frees when its process dies. Those who
wait in the same process wait for it there; of each process one asks the database.
"""

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.postgres.locks import lock_key
from infrastructure.postgres.sessions import session

LOOK_EVERY_S: Final = 0.01
"""Between two looks whether another process is done; drawn out by up to as much again."""

_TAKE: LiteralString = "SELECT pg_try_advisory_lock(%s)"
_GIVE: LiteralString = "SELECT pg_advisory_unlock(%s)"


@dataclass(frozen=True, slots=True)
class Flight:
    """Something that nobody else makes until ``land``."""

    flights: "Flights"
    name: str
    held_in: Connection[TupleRow]

    def land(self) -> None:
        """Let those go on who wait for it."""
        self.flights.land(self.name, self.held_in)


class Flights:
    """What is under way; safe to use from several threads."""

    def __init__(self, conninfo: str) -> None:
        self._where = session(conninfo, "flights")
        self._asking = threading.Lock()
        self._changing = threading.Lock()
        self._under_way: dict[str, threading.Event] = {}
        self._session: Connection[TupleRow] | None = None

    def begin(self, name: str, *, within_s: float) -> Flight | None:
        """Begin to make *name*, once no other process does.

        ``None`` after waiting for another thread that made it, or for *within_s* seconds.

        Raises:
            psycopg.OperationalError: The database cannot be reached.
        """
        ends_s = time.monotonic() + within_s
        with self._changing:
            if (other := self._under_way.get(name)) is None:
                self._under_way[name] = threading.Event()
        if other is not None:
            other.wait(within_s)
            return None
        held_in = None
        try:
            while (held_in := self._taken(name)) is None and time.monotonic() < ends_s:
                time.sleep(LOOK_EVERY_S * (1 + random.random()))  # noqa: S311 - no secret
        finally:
            if held_in is None:
                self._go_on(name)
        return None if held_in is None else Flight(self, name, held_in)

    def land(self, name: str, held_in: Connection[TupleRow]) -> None:
        """Let those go on who wait for *name*, whose lock *held_in* has."""
        with self._asking:
            if held_in is self._session:  # else the lock went with its session
                try:
                    held_in.execute(_GIVE, [lock_key(name)])
                except psycopg.Error:
                    self._lost()
        self._go_on(name)

    def close(self) -> None:
        """Give up the session, and every lock with it."""
        with self._asking:
            self._lost()

    def _go_on(self, name: str) -> None:
        with self._changing:
            self._under_way.pop(name).set()

    def _taken(self, name: str) -> Connection[TupleRow] | None:
        with self._asking:
            while True:
                is_old = self._session is not None
                held_in = self._connected()
                try:
                    row = held_in.execute(_TAKE, [lock_key(name)]).fetchone()
                except psycopg.OperationalError:
                    self._lost()
                    if not is_old:
                        raise
                else:
                    return held_in if row == (True,) else None

    def _connected(self) -> Connection[TupleRow]:
        if self._session is None:
            self._session = psycopg.connect(self._where, autocommit=True)
        return self._session

    def _lost(self) -> None:
        """Forget the session: others may make what it was making."""
        gone, self._session = self._session, None
        if gone is not None:
            with suppress(psycopg.Error):
                gone.close()
