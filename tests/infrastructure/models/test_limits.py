"""Several worker processes and one provider: its limits hold over all of them."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from aiohttp import web

from tests.support.scripted_lm import Script, ScriptedLmServer


class LimitedProvider(ScriptedLmServer):
    """Answers after *latency_ms*; counts what is under way, and refuses more than *per_s*."""

    def __init__(self, *, latency_ms: float, per_s: float | None = None) -> None:
        super().__init__(Script(latency_ms=latency_ms))
        self.under_way = self.most = self.refused = 0
        self._per_s, self._level, self._seen = per_s, per_s or 0.0, time.monotonic()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._limited)
        return app

    async def _limited(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self._per_s is not None:
                filled = self._level + (now - self._seen) * self._per_s
                self._level, self._seen = min(self._per_s, filled) - 1, now
                if self._level < 0:
                    self.refused += 1
                    return web.json_response({"error": {"message": "Slow."}}, status=429)
            body: dict[str, Any] = await request.json()
            self.calls += 1
            await asyncio.sleep(self.script.latency_ms / 1000)
            return web.json_response(self._answer(body))
        finally:
            self.under_way -= 1


def worked(
    database: str, url: str, *, workers: int, executions: int, at_once: int = 0, rpm: int = 0
) -> tuple[list[str], float]:
    """How the executions of all *workers* ended, and how many seconds that took together."""
    numbers = map(str, (executions // workers, at_once, rpm))
    command = [sys.executable, "-m", "tests.support.worker_of_calls", database, url]
    command += numbers
    with ExitStack() as stack:
        started = [stack.enter_context(_process(command)) for _ in range(workers)]
        for worker in started:
            assert said_by(worker) == ["ready"]
        began = time.monotonic()
        for worker in started:
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        said = [said_by(worker) for worker in started]
        took_s = time.monotonic() - began
    return [each for ends in said for each in ends], took_s


def _process(command: Sequence[str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def said_by(worker: subprocess.Popen[str]) -> list[str]:
    """The words of the next line of *worker*."""
    assert worker.stdout is not None
    return worker.stdout.readline().split()


@pytest.mark.feature("VIS-25")
def test_vis_25_50_executions_of_200_ms_under_a_limit_of_16_over_two_workers(
    database: str,
) -> None:
    with LimitedProvider(latency_ms=200) as provider:
        ends, took_s = worked(database, provider.url, workers=2, executions=50, at_once=16)
    assert ends == ["completed"] * 50
    assert 8 < provider.most <= 16
    assert took_s < 9, "one after the other they take 10"


@pytest.mark.feature("LMP-23")
def test_lmp_23_the_provider_never_has_to_refuse(database: str) -> None:
    with LimitedProvider(latency_ms=5, per_s=20) as provider:
        ends, took_s = worked(database, provider.url, workers=2, executions=50, rpm=1200)
    assert ends == ["completed"] * 50
    assert provider.refused == 0
    # From the word to go, for the first call may come late at the provider, and none too soon.
    assert 2.4 < took_s < 30, "50 calls at 20 a second"
