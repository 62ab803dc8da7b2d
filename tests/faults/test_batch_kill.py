"""A batch whose workers and API are killed with -9 on the way: each of its rows ends just once."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest
from aiohttp import web

from tests.support import invariants
from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Http, Service, until
from tests.support.triage import SYNTAX

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(300)]

ROWS: Final = 40
LINES: Final = {"Content-Type": "application/x-ndjson"}
ANSWER_S: Final = 0.4
"""So late that some rows are under way at every kill."""


class Slow(ScriptedLmServer):
    async def _complete(self, request: web.Request) -> web.Response:
        await asyncio.sleep(ANSWER_S)
        return await super()._complete(request)


@pytest.fixture
def lm() -> Iterator[Slow]:
    with Slow() as lm:
        yield lm


@pytest.fixture
def service(database: str, lm: Slow) -> Iterator[Service]:
    with Service(database, lm, workers=2) as service:
        yield service


def ended(service: Service) -> int:
    """How many executions have ended, by the log itself: the API may be dead."""
    query = "SELECT count(*) FROM stratal.events WHERE topic = 'execution.completed'"
    return int(service.rows(query)[0][0])


def restarted(service: Service, name: str, at: int) -> None:
    """Kill the process *name* once *at* rows have ended, and start it again."""
    until(lambda: ended(service), lambda number: number >= at, timeout_s=60)
    assert ended(service) < ROWS, "It was over before the kill."
    service.kill(name)
    service.restart(name)


def requested(http: Http) -> str:
    """Where to see the batch."""
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    http.post("/v1/programs", {"name": "triage", "modules": modules})
    lines = "".join(json.dumps({"message": f"Row {n}."}) + "\n" for n in range(1, ROWS + 1))
    path = "/v1/programs/triage/batches"
    reply = http.send("POST", path, content=lines, headers=LINES, params={"concurrency": 6})
    assert reply.status_code == 202, reply.text
    return reply.headers["Location"]


@pytest.mark.feature("EXE-03")
def test_f_01_a_batch_whose_workers_and_api_are_killed_ends_every_row_once(
    service: Service,
) -> None:
    http = service.http()
    place = requested(http)
    for name, at in (("worker-1", 4), ("api", 12), ("worker-2", 20), ("projector", 26)):
        restarted(service, name, at)
    service.wait_until_ready()
    batch = http.follow(place)
    assert (batch["status"], batch["completed"], batch["failed"]) == ("completed", ROWS, 0)
    path = f"/v1/batches/{batch['batch_id']}/results"
    results = [json.loads(line) for line in http.send("GET", path).text.splitlines()]
    assert [each["row"] for each in results] == [*range(1, ROWS + 1)]
    for each in results:
        run = http.get(f"/v1/executions/{each['execution_id']}")
        assert run["inputs"]["message"] == f"Row {each['row']}."
    log = invariants.check(service.database)
    topics = Counter(each.event.TOPIC for each in log)
    assert topics["execution.requested"] == topics["execution.completed"] == ROWS
    assert topics["batch.completed"] == 1
    streams = invariants.by_stream(log).values()
    runs = [it for it in streams if it[0].event.TOPIC == "execution.requested"]
    assert [len(invariants.calls(run)) for run in runs] == [1] * ROWS
