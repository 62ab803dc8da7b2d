"""Hears what the append transactions announce, over one connection that comes back by itself."""

import logging
import os
import select
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from infrastructure.postgres.sessions import session

Heard = Callable[[str | None], None]
"""Takes an announcement, or ``None``: some may have been missed, so check everything again."""

_PING_S = 10.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0

_log = logging.getLogger(__name__)


class LogListener:
    """One thread and one LISTEN connection for a process; subscribe at any time.

    Subscribers run in the listener's thread: they must return soon. One that raises is logged and
    does not stop the others.
    """

    def __init__(self, conninfo: str, channel: str = "stratal_log") -> None:
        self._conninfo = session(conninfo, "listener")
        self._channel = channel
        self._subscribers: list[Heard] = []
        self._listening = threading.Event()
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="log-listener", daemon=True)

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Call *heard* with every announcement, and with ``None`` after each (re)connection.

        Returns:
            What ends the subscription.
        """
        self._subscribers = [*self._subscribers, heard]
        return lambda: self._unsubscribe(heard)

    def start(self) -> None:
        """Begin to listen; returns at once, also while the database is away."""
        self._thread.start()

    def wait_until_listening(self, timeout_s: float) -> bool:
        """Whether announcements are heard now, or within *timeout_s*."""
        return self._listening.wait(timeout_s)

    @property
    def is_listening(self) -> bool:
        """Whether announcements are heard now; readiness asks this."""
        return self._listening.is_set()

    def stop(self) -> None:
        """Stop listening and end the thread; waits for it."""
        self._stopping.set()
        os.write(self._wake_write, b"!")
        if self._thread.is_alive():
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _unsubscribe(self, heard: Heard) -> None:
        self._subscribers = [each for each in self._subscribers if each is not heard]

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
                    pause_s = _FIRST_PAUSE_S
                    self._listening.set()
                    self._tell(None)
                    self._hear(connection)
            except psycopg.Error as error:
                _log.warning("The listener lost the database and tries again: %s", error)
            finally:
                self._listening.clear()
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _hear(self, connection: Connection[TupleRow]) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([connection.fileno(), self._wake_read], [], [], _PING_S)
            if not ready:
                connection.execute("")  # a peer that vanished without a word is noticed here
            for each in connection.notifies(timeout=0):
                self._tell(each.payload)

    def _tell(self, payload: str | None) -> None:
        for heard in self._subscribers:
            try:
                heard(payload)
            except Exception:  # noqa: BLE001 - the listener serves many and must not die of one
                _log.exception("A subscriber of the log failed; the others go on.")
