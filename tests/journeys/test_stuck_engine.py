"""BRG-08 with real processes: an engine that never returns, a 504 in time, and work goes on."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Http, Process, Service, until
from tests.support.triage import SYNTAX

pytestmark = [pytest.mark.journey, pytest.mark.worker, pytest.mark.slow]

DEADLINE_S = 2
SCRIPT = {
    "rules": [
        {"match": {"contains": "Never"}, "latency_ms": 3_600_000},
        {"match": {"contains": "Slowly"}, "latency_ms": 1_000},
    ]
}
"""It sleeps within the process of the engine, where nothing wakes it."""


@pytest.fixture(params=["dspy", "dspy-process"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service(database: str, engine: str, tmp_path: Path) -> Iterator[Service]:
    script = tmp_path / "model.json"
    script.write_text(json.dumps(SCRIPT))
    environment = {
        "STRATAL_LM": f"scripted:{script}",
        "STRATAL_ENGINE": engine,
        "STRATAL_DEADLINE_S": str(DEADLINE_S),
        "STRATAL_ENGINE_PROCESSES": "1",
    }
    with (
        ScriptedLmServer() as lm,
        Service(database, lm, environment=environment) as service,
    ):
        yield service


@pytest.mark.feature("BRG-08")
def test_brg_08_a_stuck_engine_is_a_504_in_time_and_what_is_stuck_is_replaced(
    service: Service, engine: str
) -> None:
    http = service.http()
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    http.post("/v1/programs", {"name": "triage", "modules": modules})
    assert executed(http, "It crashes.")["status"] == "completed"
    began_s = time.monotonic()
    reply = http.send("POST", "/v1/programs/triage/execute", json=body("Never."))
    assert reply.status_code == 504, reply.text
    assert time.monotonic() - began_s >= DEADLINE_S
    stuck = http.get(reply.headers["Location"])
    assert (stuck["status"], stuck["failure"]["code"]) == ("failed", "execution.timed_out")
    assert stuck["finished_at"] >= stuck["deadline"]
    worker = service.processes["worker-1"]
    if engine == "dspy":  # the thread is lost, so the worker ends; ``serve`` starts another one
        until(lambda: worker.is_alive, lambda alive: not alive, timeout_s=60)
        worker.start()
    assert executed(http, "It crashes.", wait=60)["status"] == "completed"
    assert worker.is_alive
    assert http.get(reply.headers["Location"])["version"] == stuck["version"]
    if engine == "dspy-process":
        check_that_a_stopped_worker_loses_its_execution(http, worker)


def check_that_a_stopped_worker_loses_its_execution(http: Http, worker: Process) -> None:
    """F-04: its session lives on, so nobody reaps it; what it brings when it wakes is refused."""
    begun = len(started(http))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            http.send, "POST", "/v1/programs/triage/execute", json=body("Slowly.")
        )
        until(lambda: len(started(http)), lambda number: number > begun, timeout_s=30)
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            reply = waiting.result(60)
        finally:
            os.kill(worker.pid, signal.SIGCONT)
    assert reply.status_code == 504, reply.text
    ended = http.get(reply.headers["Location"])
    assert executed(http, "It crashes.", wait=60)["status"] == "completed"
    assert http.get(reply.headers["Location"]) == ended
    assert ended["failure"]["code"] == "execution.timed_out"


def started(http: Http) -> list[object]:
    return [each for each in http.events() if each["topic"] == "execution.started"]


def body(message: str) -> dict[str, object]:
    return {"inputs": {"message": message}}


def executed(http: Http, message: str, **query: object) -> dict[str, object]:
    view: dict[str, object] = http.post("/v1/programs/triage/execute", body(message), **query)
    return view
