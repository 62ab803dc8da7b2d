"""Fixtures of the event log over the test's own database."""

from collections.abc import Iterator

import pytest
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.postgres.pool import open_pool

Pool = ConnectionPool[Connection[TupleRow]]


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    with open_pool(database, min_size=1, max_size=16, name="test") as opened:
        yield opened


@pytest.fixture
def recorder(pool: Pool) -> PostgresRecorder:
    return PostgresRecorder(pool)


@pytest.fixture
def log(recorder: PostgresRecorder) -> EventLog:
    return EventLog(recorder)
