"""Leadership: of all processes on one database, one does a thing at a time."""

import hashlib
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.postgres.sessions import session


def lock_key(name: str) -> int:
    """The advisory lock of *name* in the database: 64 bits of its digest."""
    digest = hashlib.sha256(f"stratal:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class Leadership:
    """The lead, held as long as its session lives; leaving the ``with`` block gives it up.

    Work written through ``connection`` is fenced: when the session is gone, so is the lead, and
    nothing more can be written by the one who had it.
    """

    def __init__(self, name: str, connection: Connection[TupleRow]) -> None:
        self.name = name
        self.connection = connection

    def is_held(self) -> bool:
        """Ask the server; false after a restart or a lost network. Then lead again or stop."""
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def release(self) -> None:
        """Give up the lead at once; somebody else may take it."""
        with suppress(psycopg.Error):  # lost with the session already
            self.connection.execute("SELECT pg_advisory_unlock_all()")
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def try_lead(conninfo: str, name: str) -> Leadership | None:
    """Take the lead in *name* when nobody has it; never waits for it.

    Raises:
        psycopg.OperationalError: The database cannot be reached; try again later.
    """
    connection = psycopg.connect(session(conninfo, f"lead {name}"), autocommit=True)
    try:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [lock_key(name)]).fetchone()
    except BaseException:
        connection.close()
        raise
    if row == (True,):
        return Leadership(name, connection)
    connection.close()
    return None
