"""F-01: a worker killed with -9 while its model speaks, and somebody listens."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.scripted_lm import Script, ScriptedLmServer
from tests.support.service import Service
from tests.support.sse import moments, states, stream, texts, until_chunk

pytestmark = [pytest.mark.slow, pytest.mark.worker]

ANSWER: Final = "Because the light is scattered, and blue is scattered most."


@pytest.fixture
def lm() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer(Script(replies=[("", {"answer": ANSWER})], stops_after=10)) as lm:
        yield lm


@pytest.fixture
def service(database: str, lm: ScriptedLmServer) -> Iterator[Service]:
    with Service(database, lm) as service:
        yield service


@pytest.mark.feature("EXE-11")
def test_exe_11_when_the_worker_is_killed_the_stream_goes_on_with_the_next_attempt(
    service: Service, lm: ScriptedLmServer
) -> None:
    http = service.http()
    modules = [{"kind": "predict", "signature_syntax": "question -> answer"}]
    http.post("/v1/programs", {"name": "sky", "modules": modules})
    body = {"inputs": {"question": "Why is the sky blue?"}, "stream": True}
    id_ = http.post("/v1/programs/sky/execute", body)["execution_id"]
    with stream(service.url, http.tenant, path=f"/v1/executions/{id_}/stream") as reply:
        told = moments(reply)
        seen = until_chunk(told, "answer")
        service.kill("worker-1")
        lost = lm.calls
        lm.script.stops_after = None
        service.restart("worker-1")
        seen += list(told)

    assert states(seen) == ["pending", "running", "running", "completed"]
    assert texts(seen) == {"answer": ANSWER}
    assert seen[-1].data["attempts"] == 2
    assert lm.calls == lost + 1
    assert [each.id for each in seen if each.id is not None] == [1, 2, 3, 4, 5]
