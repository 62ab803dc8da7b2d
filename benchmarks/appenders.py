"""Four ways to put one event of the same bytes into Postgres, each durable when it returns."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, LiteralString
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection
from psycopg.rows import TupleRow
from uuid_utils.compat import uuid7

from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.pool import open_pool

TOPIC: Final = "execution.requested"
TENANT: Final = "bench"
STATE: Final = (
    b'{"v":1,"at":"2030-01-01T00:00:00.000000+00:00","event":{"program_id":'
    b'"0190b2c4-7a11-7c33-9a6e-5f0c7d9b1a2e","program_version":3,"inputs":{"digest":'
    b'"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","size_bytes":183}}}'
)
METADATA: Final = (
    '{"actor":"alice","command":"RequestExecution","command_id":'
    '"0190b2c4-7a11-7c33-9a6e-5f0c7d9b1a2f","correlation_id":'
    '"0190b2c4-7a11-7c33-9a6e-5f0c7d9b1a30","causation_id":null,"traceparent":null}'
)
ROWS: Final = 32
"""How many rows a statement of ``raw rows`` inserts."""

_RAW_TABLE: Final[LiteralString] = """
    CREATE TABLE raw_events (
        originator_id uuid NOT NULL, originator_version bigint NOT NULL, topic text NOT NULL,
        state bytea NOT NULL, notification_id bigserial UNIQUE, event_id uuid NOT NULL,
        tenant text NOT NULL, metadata json NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (originator_id, originator_version)
    )
"""
_INSERT: Final[LiteralString] = """
    INSERT INTO raw_events (originator_id, originator_version, topic, state, event_id, tenant,
                            metadata)
    SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::uuid[],
                         %b::text[], %b::json[])
"""

Append = Callable[[], int]
"""Appends to new streams from the calling thread; returns how many events that were."""


def make_tables(owner: str) -> None:
    """Make the tables of the library and of the bare INSERTs."""
    _recorder(owner).create_table()
    with psycopg.connect(owner) as connection:
        connection.execute(_RAW_TABLE)


def library(conninfo: str) -> Append:
    """The stock recorder of the library with its settings as they come."""
    recorder = _recorder(conninfo)
    both = STATE + METADATA.encode()

    def append() -> int:
        recorder.insert_events([StoredEvent(uuid7(), 1, TOPIC, both)])
        return 1

    return append


def stratal(conninfo: str) -> Append:
    """Our recorder over a pool as large as that of the API."""
    recorder = PostgresRecorder(open_pool(conninfo, min_size=1, max_size=8, name="bench"))

    def append() -> int:
        recorder.append([sealed()])
        return 1

    return append


def raw_row(conninfo: str) -> Append:
    """One-row INSERTs, a connection for each thread."""
    return _raw(conninfo, 1)


def raw_rows(conninfo: str) -> Append:
    """INSERTs of ``ROWS`` rows, a connection for each thread: what batches could reach at best."""
    return _raw(conninfo, ROWS)


SYSTEMS: Final[Mapping[str, Callable[[str], Append]]] = {
    "library": library,
    "stratal": stratal,
    "raw row": raw_row,
    "raw rows": raw_rows,
}


def _recorder(conninfo: str) -> PostgresApplicationRecorder:
    parts = urlsplit(conninfo)
    query = parse_qs(parts.query)
    datastore = PostgresDatastore(
        parts.path[1:],
        parts.hostname or query["host"][0],
        query.get("port", ["5432"])[0],
        parts.username or "",
        parts.password or "",
        pool_size=5,
        max_overflow=10,
    )
    return PostgresApplicationRecorder(datastore, events_table_name="library_events")


def _raw(conninfo: str, rows: int) -> Append:
    own = threading.local()

    def append() -> int:
        connection: Connection[TupleRow] | None = getattr(own, "connection", None)
        if connection is None:
            connection = own.connection = psycopg.connect(conninfo, autocommit=True)
        connection.cursor(binary=True).execute(_INSERT, _columns(rows), prepare=True)
        return rows

    return append


def _columns(rows: int) -> Sequence[object]:
    ids: list[UUID] = [uuid7() for _ in range(rows)]
    return (
        ids,
        [1] * rows,
        [TOPIC] * rows,
        [STATE] * rows,
        [uuid7() for _ in range(rows)],
        [TENANT] * rows,
        [METADATA] * rows,
    )


def sealed() -> SealedEvent:
    return SealedEvent(uuid7(), 1, TOPIC, STATE, event_id=uuid7(), tenant=TENANT, metadata=METADATA)
