"""Connections that threads borrow by turns; a broken one is thrown away and replaced on demand."""

import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

CONNECTIONS_MAX = 6

SESSION: dict[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "stratal-worker",
}
"""A peer that vanished is noticed in about ten seconds."""

_NOTICED_BY_THE_SERVER = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
)
"""The same from the other end: a machine that lost its power must not count as alive for hours."""


def connect(conninfo: str, *, options: str = "") -> Connection:
    """A connection of one's own, in autocommit, with server *options* (``-c name=value``)."""
    told = make_conninfo(conninfo, options=f"{_NOTICED_BY_THE_SERVER} {options}", **SESSION)
    return psycopg.connect(told, autocommit=True)


class Connections:
    """Unlike ``psycopg_pool``: fails at once while the database is away, and never backs off."""

    def __init__(self, conninfo: str, *, options: str = "") -> None:
        self._conninfo = conninfo
        self._options = options
        self._idle: deque[Connection] = deque()
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._closed = False

    @contextmanager
    def borrowed(self) -> Generator[Connection]:
        """A connection in autocommit, for the length of the body.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        with self._slots:
            connection = (
                self._idle.pop() if self._idle else connect(self._conninfo, options=self._options)
            )
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle; what is borrowed closes on its return."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
