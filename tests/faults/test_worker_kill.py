"""F-01: workers killed with -9 in the middle of a model call, one after the other."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest
from aiohttp import web

from domain.execution.events import ExecutionCompleted
from tests.support import invariants
from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Http, Service, until
from tests.support.triage import SYNTAX

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(600)]

KILLS: Final = 20
WORKERS: Final = 3
LATEST_KILL_S: Final = 1.0
FIRST_ANSWER_S: Final = 4.0
"""So late that every kill comes before it. A request that is made again is answered at once."""


class SlowAtFirst(ScriptedLmServer):
    """Takes its time over what it hears for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = Counter[str]()

    async def _complete(self, request: web.Request) -> web.Response:
        said = str((await request.json())["messages"][-1]["content"])
        self.heard[said] += 1
        if self.heard[said] == 1:
            await asyncio.sleep(FIRST_ANSWER_S)
        return await super()._complete(request)

    def times(self, message: str) -> int:
        """How often it heard *message*."""
        return sum(times for said, times in self.heard.items() if message in said)


@pytest.fixture
def lm() -> Iterator[SlowAtFirst]:
    with SlowAtFirst() as lm:
        yield lm


@pytest.fixture
def service(database: str, lm: SlowAtFirst) -> Iterator[Service]:
    with Service(database, lm, workers=WORKERS) as service:
        yield service


@pytest.mark.feature("EXE-03")
def test_f_01_20_kills_in_mid_call_lead_to_20_single_ends(
    service: Service, lm: SlowAtFirst
) -> None:
    http, chance = service.http(), random.Random(7)
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    http.post("/v1/programs", {"name": "triage", "modules": modules})
    for number in range(KILLS):
        message = f"Message number {number}."
        position, path = _requested(http, message)
        until(lambda said=message: lm.times(said), bool, timeout_s=60)  # type: ignore[misc]  # bound
        time.sleep(chance.uniform(0, LATEST_KILL_S))
        worker = service.worker_with(_pid_of_its_worker(http, position))
        worker.kill()
        worker.start()
        assert http.follow(path, timeout_s=60)["status"] == "completed"

    log = invariants.check(service.database)
    runs = [it for it in invariants.by_stream(log).values() if invariants.calls(it)]
    invariants.check_ended(invariants.by_stream(log))
    assert len(runs) == KILLS
    for number, run in enumerate(runs):
        [call], end = invariants.calls(run), run[-1].event
        assert isinstance(end, ExecutionCompleted)
        assert (end.spend.calls, end.spend.total_tokens) == (1, call.usage.total_tokens)
        assert lm.times(f"Message number {number}.") == 2  # one was lost with its worker
        attempts = [each for each in run if each.event.TOPIC == "execution.started"]
        assert len(attempts) == 2


def _requested(http: Http, message: str) -> tuple[int, str]:
    """The position of what was stored, and where to see how it fares."""
    reply = http.send(
        "POST",
        "/v1/programs/triage/execute",
        json={"inputs": {"message": message}},
        params={"wait": 0},
    )
    assert reply.status_code == 202, reply.text
    place = reply.headers["Location"]
    return int(place.rpartition("at_least=")[2]), place


def _pid_of_its_worker(http: Http, position: int) -> int:
    """The process that took up what was requested at *position*, in that append or later."""
    later = http.get("/v1/events", after=position - 1)["items"]
    [started] = [each for each in later if each["topic"] == "execution.started"]
    return int(started["data"]["worker"].rpartition(":")[2])
