"""Fixtures of the event log: a cluster for the session, a fresh migrated database for each test."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from infrastructure.eventstore.migrations import MIGRATIONS
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from tests.support.throwaway_cluster import ThrowawayCluster, throwaway_cluster

Pool = ConnectionPool[Connection[TupleRow]]

GUARDS = (
    "-c idle_in_transaction_session_timeout=3000 -c lock_timeout=5000 -c statement_timeout=10000"
)
_names = count(1)


def migrate(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for _, sql in MIGRATIONS:
            connection.execute(sql)


def open_pool(conninfo: str, *, max_size: int = 16) -> Pool:
    return ConnectionPool(
        conninfo,
        kwargs={"autocommit": True, "options": GUARDS},
        min_size=1,
        max_size=max_size,
        open=True,
        timeout=10,
        reconnect_timeout=10,
    )


@pytest.fixture(scope="session")
def cluster() -> Iterator[ThrowawayCluster]:
    with throwaway_cluster() as running:
        migrate(running.conninfo)
        yield running


@pytest.fixture
def database(cluster: ThrowawayCluster) -> str:
    name = f"log_{next(_names)}"
    with psycopg.connect(cluster.database("template1"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE postgres'.encode())
    return cluster.database(name)


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    with open_pool(database) as opened:
        yield opened


@pytest.fixture
def recorder(pool: Pool) -> PostgresRecorder:
    return PostgresRecorder(pool)


@pytest.fixture
def log(recorder: PostgresRecorder) -> EventLog:
    return EventLog(recorder)
