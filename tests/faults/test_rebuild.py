"""Read models rebuilt, and rebuilds and projectors killed, while commands go on."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final

import psycopg
import pytest

from tests.support import invariants
from tests.support.postgres import copy_of
from tests.support.service import ROOT, Http, Service, until
from tests.support.triage import SYNTAX, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.journey, pytest.mark.timeout(300)]

logger = logging.getLogger(__name__)

CLIENTS: Final = 4
REBUILT: Final = ("program_catalog", "audit_trail", "program_versions")
HEAD_START: Final = 300
"""Events that are there before the first rebuild begins."""


@pytest.fixture
def service(cluster: str, template: str) -> Iterator[Service]:
    with (
        copy_of(template, cluster) as database,
        TriageLm() as lm,
        Service(database, lm, workers=0) as service,
    ):
        yield service


@dataclass
class Writer:
    """Creates one program after the other; every refusal is kept."""

    http: Http
    name: str
    acknowledged: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])

    def write(self, stop: Event) -> None:
        while not stop.is_set():
            key = f"{self.name}-{len(self.acknowledged) + len(self.refused)}"
            modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
            reply = self.http.send(
                "POST",
                "/v1/programs",
                json={"name": key, "modules": modules},
                headers={"Idempotency-Key": key},
            )
            (self.acknowledged if reply.is_success else self.refused).append(key)


@contextmanager
def writing(service: Service) -> Generator[Sequence[Writer]]:
    """``CLIENTS`` that write while the block runs."""
    writers = [Writer(service.http(), f"client-{number}") for number in range(CLIENTS)]
    stop = Event()
    with ThreadPoolExecutor(CLIENTS) as threads:
        futures = [threads.submit(writer.write, stop) for writer in writers]
        try:
            yield writers
        finally:
            stop.set()
        for each in futures:
            each.result(60)


def stratal(service: Service, *words: str) -> subprocess.Popen[str]:
    """``stratal projections`` on the service's database."""
    return subprocess.Popen(
        [sys.executable, "-m", "infrastructure.main.cli", "projections", *words, "--json"],
        cwd=ROOT,
        env=os.environ | {"STRATAL_DATABASE_URL": service.database},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> Any:
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, out + error
    return json.loads(out)


def kill_when_it_compares(service: Service, name: str) -> None:
    """Kill a rebuild that has built its tables and waits to compare them with the live ones."""
    with psycopg.connect(service.database) as leader:
        leader.execute("SELECT FROM stratal.projections WHERE name = %s FOR UPDATE", [name])
        rebuild = stratal(service, "rebuild", name)
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'stratal projections' AND wait_event_type = 'Lock'"
        )
        until(lambda: service.rows(waits), lambda rows: rows == [(1,)], timeout_s=60)
        rebuild.kill()
        rebuild.communicate()
        leader.rollback()
    built = f"SELECT count(*) FROM pg_namespace WHERE nspname ~ '^{name}_v[0-9]+_build$'"
    assert service.rows(built) == [(1,)]


@pytest.mark.feature("VIS-14")
def test_a_rebuild_under_load_differs_in_nothing_and_refuses_no_command(
    service: Service,
) -> None:
    with writing(service) as writers:
        until(service.head, lambda head: head > HEAD_START, timeout_s=60)
        began, before = time.monotonic(), service.head()
        for name in REBUILT:
            built = told(stratal(service, "rebuild", name))
            assert built["verified_against"] == "live tables", built
        # A rebuild that is killed leaves everything as it is.
        kill_when_it_compares(service, "audit_trail")
        # So does a projector: another one goes on, in the tables that are live then.
        service.kill("projector")
        assert told(stratal(service, "rebuild", "audit_trail"))["position"] > before
        service.restart("projector")
        rate = (service.head() - before) / (time.monotonic() - began)
    logger.info("%.0f events a second were appended meanwhile", rate)
    assert [writer.refused for writer in writers] == [[]] * CLIENTS
    acknowledged = [key for writer in writers for key in writer.acknowledged]
    invariants.check(service.database, acknowledged=acknowledged)
    verified = told(stratal(service, "verify"))
    assert all(each["is_well"] for each in verified["items"])
    assert service.rows("SELECT count(*) FROM stratal.parked") == [(0,)]
    left = "SELECT nspname FROM pg_namespace WHERE nspname ~ '_(build|check|former)$'"
    assert service.rows(left) == []
