"""F-08: Postgres stopped ``immediate`` and started again, three times, under the whole service."""

import os
import signal
import time
from contextlib import closing
from typing import Final

import psycopg
import pytest

from infrastructure.postgres.embedded import EmbeddedPostgres
from tests.support import invariants
from tests.support.load import wait_until_all_ended, writing
from tests.support.service import Service, is_running, until
from tests.support.triage import Triage

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(300)]

CRASHES: Final = 3
LOAD_S: Final = 3.0
CLIENTS: Final = 3
BACK_S: Final = 10.0

WAITING_WRITES: Final = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid = 7301 AND NOT granted
      AND application_name LIKE 'stratal %'
"""
SESSIONS: Final = """
    SELECT DISTINCT application_name FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def test_f_08_no_acknowledged_write_is_lost_and_every_runner_comes_back(
    service: Service, postgres: EmbeddedPostgres
) -> None:
    triage = Triage(service.http()).create()
    assert triage.execute("It crashes on save")["status"] == "completed"
    before = _sessions(service)
    with writing(service, triage, CLIENTS) as writers:
        for _ in range(CRASHES):
            time.sleep(LOAD_S)
            _crash_in_mid_write(service, postgres)
            postgres.start()
            _wait_until_all_work(service, triage, before)
    assert all(writer.acknowledged for writer in writers)
    wait_until_all_ended(service)
    acknowledged = [key for writer in writers for key in writer.acknowledged]
    log = invariants.check(service.database, acknowledged=acknowledged)
    invariants.check_ended(invariants.by_stream(log))


def _crash_in_mid_write(service: Service, postgres: EmbeddedPostgres) -> None:
    """Crash the server while a write of the service is under way: it waits for its turn."""
    with closing(psycopg.connect(postgres.url)) as blocker:
        blocker.execute("SELECT pg_advisory_xact_lock(7301, 1)")
        until(lambda: service.rows(WAITING_WRITES), lambda rows: rows != [(0,)], timeout_s=10)
        _crash(postgres)


def _crash(postgres: EmbeddedPostgres) -> None:
    """What ``pg_ctl stop -m immediate`` does."""
    pid = postgres.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    until(lambda: is_running(pid), lambda runs: not runs, timeout_s=30)


def _wait_until_all_work(service: Service, triage: Triage, before: set[str]) -> None:
    """Projector, worker and API, each seen at its work within ``BACK_S`` of the start."""
    began = time.monotonic()
    until(lambda: _sessions(service), before.__le__, timeout_s=BACK_S)
    left_s = BACK_S - (time.monotonic() - began)
    reply = until(
        lambda: triage.http.send(
            "POST",
            f"{triage.program}/execute",
            json={"inputs": {"message": "Is anybody there"}},
            params={"wait": left_s},
        ),
        lambda reply: reply.status_code != 503,
        timeout_s=left_s,
    )
    assert reply.json()["status"] == "completed", reply.text
    position = service.head()
    until(
        lambda: triage.http.send("GET", "/v1/executions", params={"at_least": position}),
        lambda reply: reply.status_code == 200,
        timeout_s=max(1.0, BACK_S - (time.monotonic() - began)),
    )
    assert time.monotonic() - began <= BACK_S


def _sessions(service: Service) -> set[str]:
    """What the processes call their sessions: each runner has a name of its own.

    Those over all tenants open when they are needed, and nobody may need them now.
    """
    try:
        names = {name for (name,) in service.rows(SESSIONS)} - {""}
        return {name for name in names if not name.endswith("-whole")}
    except psycopg.OperationalError:
        return set()
