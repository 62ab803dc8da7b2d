"""Recorded executions run another way by real workers that are killed: nothing is paid twice."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest
from aiohttp import web

from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.program.graph import ModuleNode, ProgramGraph, Source
from domain.signature.fields import FieldSpec, SignatureSpec
from tests.support import invariants
from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Http, Service, until

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(300)]

RUNS: Final = 12
ANSWER_S: Final = 0.5
"""So late that some calls are under way at the kill."""
MODEL: Final = "openai/gpt-4o-mini"
RATES: Final = {"input_usd": "1", "output_usd": "2"}
CALL_USD: Final = Decimal("0.00014")
"""100 tokens in, 20 out."""


def _node(name: str, before: Source, after: str) -> ModuleNode:
    spec = SignatureSpec(inputs=(FieldSpec(name=before.field),), outputs=(FieldSpec(name=after),))
    module = ModuleSpec(
        kind=ModuleKind.PREDICT, signature=spec, config=DEFAULTS[ModuleKind.PREDICT]
    )
    return ModuleNode(id=name, module=module, inputs={before.field: before})


TWO_STEPS: Final = ProgramGraph(
    signature=SignatureSpec(
        inputs=(FieldSpec(name="message"),), outputs=(FieldSpec(name="reply"),)
    ),
    nodes=(
        _node("shorten", Source(field="message"), "gist"),
        _node("answer", Source(node="shorten", field="gist"), "reply"),
    ),
    outputs={"reply": Source(node="answer", field="reply")},
)


class Slow(ScriptedLmServer):
    """Takes its time from when a test says so."""

    is_slow = False

    async def _complete(self, request: web.Request) -> web.Response:
        if self.is_slow:
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


def recorded(http: Http) -> None:
    """A program of two predictors that ran, and then was given another second instruction.

    Its model has a price before it is first asked: workers keep what they know of one for a second.
    """
    http.post("/v1/prices", {"model": MODEL, "rates": RATES})
    http.post("/v1/programs", {"name": "answer", "graph": TWO_STEPS.model_dump(mode="json")})
    for number in range(RUNS):
        http.post("/v1/programs/answer/execute", {"inputs": {"message": f"Message {number}."}})
    edited = {"answer": {"instructions": "Answer as a pirate does."}}
    http.post("/v1/programs/answer/edit", {"predictors": edited})


def estimated(http: Http, **how: object) -> Any:
    place = http.begin("/v1/programs/answer/counterfactuals", how)
    return until(lambda: http.get(place), lambda it: it["status"] == "estimated", timeout_s=60)


def ran(http: Http, place: str) -> Any:
    until(lambda: http.get(place), lambda it: it["status"] == "completed", timeout_s=120)
    return http.get(f"{place}/comparison", limit=200)


@pytest.mark.feature("EXE-03")
def test_f_01_a_counterfactual_whose_worker_is_killed_pays_for_no_recorded_call(
    service: Service, lm: Slow
) -> None:
    http = service.http()
    recorded(http)
    assert lm.calls == 2 * RUNS

    same = estimated(http, program_version=1)
    assert (same["estimate"]["reused"], same["estimate"]["paid"]) == (2 * RUNS, 0)
    place = f"/v1/batches/{same['batch_id']}"
    http.post(f"{place}/resume", {})
    sums = ran(http, place)["sums"]
    assert (sums["equal"], sums["reused"], Decimal(sums["paid_usd"])) == (RUNS, 2 * RUNS, 0)
    assert lm.calls == 2 * RUNS

    found = estimated(http, program_version=2)
    assert (found["estimate"]["reused"], found["estimate"]["paid"]) == (RUNS, RUNS)
    assert Decimal(found["estimate"]["cost_usd"]) == RUNS * CALL_USD
    lm.is_slow, place = True, f"/v1/batches/{found['batch_id']}"
    http.post(f"{place}/resume", {})
    until(lambda: lm.calls, lambda calls: calls >= 2 * RUNS + 3, timeout_s=60)
    service.kill("worker-1")
    service.restart("worker-1")
    sums = ran(http, place)["sums"]
    assert (sums["completed"], sums["equal"], sums["reused"], sums["paid"]) == (RUNS, 0, RUNS, RUNS)
    assert Decimal(sums["paid_usd"]) == RUNS * CALL_USD
    at_work = 4
    assert 3 * RUNS <= lm.calls <= 3 * RUNS + at_work, (
        "Only what nobody had on record was repeated."
    )
    log = invariants.check(service.database)
    varied = [it for it in invariants.by_stream(log).values() if len(invariants.calls(it)) == 2]
    assert len(varied) == 3 * RUNS
