"""An execution that is followed while it goes: over HTTP, with a real worker and a real API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.support.dspy_programs import two_steps
from tests.support.scripted_lm import Script
from tests.support.service import Http, Service
from tests.support.sse import Moment, moments, states, stream, texts, until_chunk

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

PLAN: Final = "First look, then think, and at last answer what was asked."
ANSWER: Final = "Because the light is scattered, and blue is scattered most."
THOUGHT: Final = "The sky is the question."
WORDS: Final = {"plan": PLAN, "reasoning": THOUGHT, "answer": ANSWER}
STATES: Final = ["pending", "running", "completed"]


@pytest.fixture
def program(http: Http) -> str:
    graph = two_steps().graph.model_dump(mode="json")
    http.post("/v1/programs", {"name": "sky", "graph": graph})
    return "sky"


@contextmanager
def saying(service: Service, **script: Any) -> Iterator[Script]:
    """The model while the block runs; it says each of its answers in pieces."""
    before = service.lm.script
    service.lm.script = Script(replies=[("", WORDS)], **script)
    try:
        yield service.lm.script
    finally:
        service.lm.script = before


def requested(http: Http, program: str) -> str:
    body = {"inputs": {"question": "Why is the sky blue?"}, "stream": True}
    ran = http.post(f"/v1/programs/{program}/execute", body)
    assert ran["finished_at"] is None, "The reply does not wait for the end."
    return f"/v1/executions/{ran['execution_id']}"


@pytest.mark.feature("EXE-11")
def test_exe_11_who_follows_an_execution_sees_its_states_nodes_and_words_as_they_come(
    service: Service, http: Http, program: str
) -> None:
    with saying(service, stops_after=10) as script:
        path = requested(http, program)
        with stream(service.url, http.tenant, path=f"{path}/stream") as reply:
            told = moments(reply)
            seen = until_chunk(told, "plan")
            assert http.get(path)["token_usage"]["calls"] == 0, "Nothing was recorded yet."
            script.stops_after = None
            seen += list(told)

    assert states(seen) == STATES
    assert texts(seen) == WORDS
    nodes = [(each.data["node"], each.data["state"]) for each in seen if each.event == "node"]
    assert nodes == [("plan", "began"), ("plan", "ended"), ("solve", "began"), ("solve", "ended")]
    ended = http.get(path)
    assert seen[-1].data["outputs"] == ended["outputs"] == {"answer": ANSWER}
    assert ended["token_usage"]["total_tokens"] == 2 * 120
    trace = http.get(f"{path}/trace")["items"]
    assert [each["attempts"] for each in trace] == [1, 1]


@pytest.mark.feature("EXE-11")
def test_exe_11_after_a_broken_connection_no_state_is_lost_or_told_twice(
    service: Service, http: Http, program: str
) -> None:
    with saying(service, stops_after=10) as script:
        path = requested(http, program)
        with stream(service.url, http.tenant, path=f"{path}/stream") as reply:
            before = until_chunk(moments(reply), "plan")
        reached = max(each.id for each in before if each.id is not None)
        with stream(
            service.url, http.tenant, path=f"{path}/stream", last_event_id=reached
        ) as reply:
            script.stops_after = None
            after = list(moments(reply))

    assert states(before) == ["pending", "running"]
    assert states(after) == ["completed"]
    assert texts(after) == WORDS, "What was under way is told anew."


@pytest.mark.feature("EXE-11")
def test_exe_11_an_execution_that_ended_is_told_as_it_was_and_to_its_end_only_once(
    service: Service, http: Http, program: str
) -> None:
    with saying(service):
        path = requested(http, program)
        with stream(service.url, http.tenant, path=f"{path}/stream") as reply:
            live = list(moments(reply))
        calls = service.lm.calls
        with stream(service.url, http.tenant, path=f"{path}/stream") as reply:
            again = list(moments(reply))

    def shape(told: list[Moment]) -> list[tuple[str, str]]:
        return [
            (each.event, each.data.get("status") or each.data["node"] + each.data["state"])
            for each in told
            if each.event != "chunk"
        ]

    assert shape(again) == shape(live)
    assert texts(again) == texts(live) == WORDS
    assert service.lm.calls == calls
    headers = {"Last-Event-ID": str(again[-1].id)}
    assert http.send("GET", f"{path}/stream", headers=headers).status_code == 204


@pytest.mark.feature("LMP-25")
def test_lmp_25_a_stream_that_breaks_off_is_asked_for_again_and_only_the_whole_is_recorded(
    service: Service, http: Http, program: str
) -> None:
    with saying(service, breaks_after=10):
        path = requested(http, program)
        with stream(service.url, http.tenant, path=f"{path}/stream") as reply:
            told = list(moments(reply))

    assert states(told) == STATES
    assert texts(told) == WORDS
    trace = http.get(f"{path}/trace")["items"]
    assert [each["attempts"] for each in trace] == [2, 1]
