"""Programs bound to records, with real processes: killed in mid-call, jobs lost, replayed."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
from aiohttp import web

from infrastructure.main.projections import ProjectionOffice
from tests.support import invariants
from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Http, Service, until
from tests.support.triage import SYNTAX

pytestmark = [pytest.mark.slow, pytest.mark.worker]

BINDING: Final = {
    "name": "sort",
    "resource": "ticket",
    "program": "triage",
    "inputs": {"message": {"pointer": "/text"}},
    "outputs": {"queue": "queue"},
}


class GatedLm(ScriptedLmServer):
    """Hears every request at once, and answers none while its gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.heard = 0

    async def _complete(self, request: web.Request) -> web.Response:
        self.heard += 1
        await asyncio.to_thread(self.gate.wait)
        return await super()._complete(request)


@pytest.fixture
def lm() -> Iterator[GatedLm]:
    with GatedLm() as lm:
        yield lm
        lm.gate.set()


@pytest.fixture
def service(database: str, lm: GatedLm) -> Iterator[Service]:
    argv = ("-m", "tests.support.eager_worker")
    with Service(database, lm, worker_argv=argv) as service:
        yield service


def bound(service: Service) -> Http:
    """A tenant with a program that is bound to the creation of tickets."""
    http = service.http()
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    http.post("/v1/programs", {"name": "triage", "modules": modules})
    http.post("/v1/bindings", BINDING)
    return http


def a_ticket(http: Http, text: str) -> str:
    """Where a new ticket can be read, no staler than itself."""
    return http.begin("/v1/records/ticket", {"data": {"text": text}})


def answered(http: Http, path: str) -> Any:
    """The ticket at *path*, once nothing that it called is pending."""
    return until(
        lambda: http.get(path),
        lambda told: all(call["status"] != "pending" for call in told["calls"]),
        timeout_s=90,
        every_s=0.25,
    )


@pytest.mark.feature("VIS-02")
@pytest.mark.feature("VIS-09")
def test_vis_09_a_create_returns_before_the_model_answers_and_kill_or_replay_repeats_nothing(
    service: Service, lm: GatedLm, database: str
) -> None:
    http = bound(service)
    path = a_ticket(http, "It crashes.")  # it returns, though no model can answer yet
    told = http.get(path)
    assert ([call["status"] for call in told["calls"]], "queue" in told["data"]) == (
        ["pending"],
        False,
    )
    until(lambda: lm.heard, bool, timeout_s=60)
    service.kill("worker-1")  # in mid-call
    service.restart("worker-1")
    until(lambda: lm.heard, (2).__eq__, timeout_s=60)
    lm.gate.set()
    told = answered(http, path)
    assert (told["version"], told["calls"][0]["status"]) == (2, "done")
    assert told["data"]["queue"] in {"bug", "billing", "howto", "feature"}

    service.kill("worker-1")
    lost = a_ticket(http, "Where is my invoice?")
    service.rows("DELETE FROM stratal.jobs RETURNING 1")
    service.restart("worker-1")
    assert answered(http, lost)["calls"][0]["status"] == "done"

    asked, events = lm.heard, http.events()
    assert asked == 3
    office = ProjectionOffice(database)
    for name in office.names():
        office.rebuild(name, lambda *_: None)
    assert answered(http, path) == told
    assert (lm.heard, http.events()) == (asked, events)  # what is told again calls no model

    topics = [each["topic"] for each in events]
    for topic in ("record.created", "record.updated", "execution.requested", "execution.completed"):
        assert topics.count(topic) == 2, topic
    invariants.check_ended(invariants.by_stream(invariants.check(database)))
