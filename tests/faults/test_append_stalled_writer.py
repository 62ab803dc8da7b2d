"""One stalled session holds up the others for a bounded time only (TRAP-03)."""

import time
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from application.errors import StoreIsUnavailable
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.sessions import session

TAKE_THE_LOG = "SELECT pg_advisory_xact_lock(7301, 1)"


def sealed() -> SealedEvent:
    return SealedEvent(uuid4(), 1, "probe", b"{}", event_id=uuid4(), tenant="acme", metadata="{}")


def test_a_session_that_stalls_with_the_lock_blocks_others_for_3500_ms_at_most(
    database: str, recorder: PostgresRecorder
) -> None:
    recorder.append([sealed()])
    stalled = psycopg.connect(session(database, "stalled"))
    stalled.execute(TAKE_THE_LOG)
    started = time.monotonic()
    assert recorder.append([sealed()]) == [2]
    assert 1.0 < time.monotonic() - started <= 3.5
    stalled.close()


def test_a_lock_that_is_not_let_go_of_is_said_to_be_so(database: str) -> None:
    options = {"autocommit": True, "options": "-c lock_timeout=200ms"}
    with (
        ConnectionPool(database, kwargs=options, min_size=1, max_size=2, open=True) as pool,
        psycopg.connect(database) as stalled,
    ):
        stalled.execute(TAKE_THE_LOG)
        with pytest.raises(StoreIsUnavailable, match="another writer held the log"):
            PostgresRecorder(pool).append([sealed()])
