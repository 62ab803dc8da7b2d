"""F-27 with real processes: credit is not spent twice, nor twice given back after kill -9."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.faults.test_worker_kill import SlowAtFirst
from tests.support import invariants
from tests.support.service import Http, Service, until
from tests.support.triage import SYNTAX

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(300)]


@pytest.fixture
def lm() -> Iterator[SlowAtFirst]:
    with SlowAtFirst() as lm:
        yield lm


@pytest.fixture
def service(database: str, lm: SlowAtFirst) -> Iterator[Service]:
    with Service(database, lm, workers=2) as service:
        yield service


def request(http: Http, message: str) -> tuple[int, str]:
    """What the request was answered with, and where to see how it fares."""
    body = {"inputs": {"message": message}}
    reply = http.send("POST", "/v1/programs/triage/execute", json=body, params={"wait": 0})
    return reply.status_code, reply.headers.get("Location", "")


@pytest.mark.feature("CRD-01")
def test_f_27_of_fifty_requests_ten_are_accepted_and_a_kill_settles_them_once(
    service: Service, lm: SlowAtFirst
) -> None:
    http = service.http()
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    http.post("/v1/programs", {"name": "triage", "modules": modules})
    budget = http.post("/v1/budgets", {"hold_usd": "1", "alert_below_usd": "5"})["id"]
    http.post(f"/v1/budgets/{budget}/grant", {"usd": "10"})
    with ThreadPoolExecutor(10) as threads:
        asked = list(threads.map(lambda n: request(http, f"Message {n}."), range(50)))
    assert sorted(status for status, _ in asked) == [202] * 10 + [402] * 40
    until(lambda: sum(lm.heard.values()), bool, timeout_s=60)
    for worker in ("worker-1", "worker-2"):
        service.kill(worker)
        service.restart(worker)
        time.sleep(0.5)
    for _, path in asked:
        if path:
            assert http.follow(path, timeout_s=120)["status"] == "completed"
    found = http.get(f"/v1/budgets/{budget}")
    sums = {name: Decimal(found[f"{name}_usd"]) for name in ("granted", "held", "charged", "left")}
    assert sums["held"] == 0
    assert sums["left"] == sums["granted"] - sums["charged"]
    low = until(lambda: http.get("/v1/events", topic="budget.ran_low")["items"], bool, timeout_s=60)
    assert len(low) == 1
    invariants.check(service.database)
