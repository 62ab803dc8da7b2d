"""A process that stops itself as SIGSTOP does while it holds the lock of the log; run by a test.

``python -m tests.support.stopped_writer DATABASE STREAM …`` does so in one append after another,
and says of each what it came to once it goes on: the name of the refusal, or ``appended``.
"""

import os
import signal
import sys
from typing import Any, Self
from uuid import UUID, uuid4

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from application.errors import StoreIsUnavailable
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.sessions import session


class StoppingCursor(Cursor[TupleRow]):
    """Appends in a transaction of its own, and stops before the commit."""

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Self:
        if "append_events" not in str(query):
            return super().execute(query, *args, **kwargs)
        with self.connection.transaction():
            answered = super().execute(query, *args, **kwargs)
            os.kill(os.getpid(), signal.SIGSTOP)
        return answered


def main(database: str, *streams: str) -> None:
    with ConnectionPool(
        session(database, "stopped"),
        kwargs={"autocommit": True, "cursor_factory": StoppingCursor},
        min_size=1,
        max_size=2,
        open=True,
    ) as pool:
        for stream in streams:
            print(outcome(pool, UUID(stream)), flush=True)  # noqa: T201 - the test reads it


def outcome(pool: ConnectionPool, stream: UUID) -> str:
    event = SealedEvent(stream, 1, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata="{}")
    try:
        PostgresRecorder(pool).append([event])
    except StoreIsUnavailable as refused:
        return type(refused).__name__
    return "appended"


if __name__ == "__main__":
    main(*sys.argv[1:])
