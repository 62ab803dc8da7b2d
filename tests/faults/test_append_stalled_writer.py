"""One stalled session holds up the others for a bounded time only (TRAP-03, F-07)."""

import os
import signal
import subprocess
import sys
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


def test_f_07_a_session_that_stalls_with_the_lock_blocks_others_for_3500_ms_at_most(
    database: str, recorder: PostgresRecorder
) -> None:
    recorder.append([sealed()])
    stalled = psycopg.connect(session(database, "stalled"))
    stalled.execute(TAKE_THE_LOG)
    started = time.monotonic()
    assert recorder.append([sealed()]) == [2]
    assert 1.0 < time.monotonic() - started <= 3.5
    stalled.close()


STOPS = 20


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_f_07_a_process_stopped_20_times_with_the_lock_is_passed_over_and_told_so(
    database: str, recorder: PostgresRecorder
) -> None:
    """Each time it has the lock and its event in hand, and the others go on without it."""
    streams = [uuid4() for _ in range(STOPS)]
    command = [sys.executable, "-m", "tests.support.stopped_writer", database, *map(str, streams)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for stream in streams:
            os.waitid(os.P_PID, writer.pid, os.WSTOPPED)  # by itself, inside its transaction
            stopped = time.monotonic()
            recorder.append([sealed()])
            assert time.monotonic() - stopped <= 3.5
            os.kill(writer.pid, signal.SIGCONT)
            assert writer.stdout.readline() == "StoreIsUnavailable\n"
            assert recorder.select_events(stream) == [], "nothing of it is in the log"
    assert writer.returncode == 0
    stored = recorder.select_notifications(0, 100)
    assert [each.originator_version for each in stored] == [1] * STOPS


def test_a_lock_that_is_not_let_go_of_is_said_to_be_so(database: str) -> None:
    options = {"autocommit": True, "options": "-c lock_timeout=200ms"}
    with (
        ConnectionPool(database, kwargs=options, min_size=1, max_size=2, open=True) as pool,
        psycopg.connect(database) as stalled,
    ):
        stalled.execute(TAKE_THE_LOG)
        with pytest.raises(StoreIsUnavailable, match="another writer held the log"):
            PostgresRecorder(pool).append([sealed()])
