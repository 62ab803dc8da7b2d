"""An agent against real processes: its tool is a function that whoever runs the service allowed."""

from typing import Any

import pytest

from tests.support.scripted_lm import Script, ScriptedLm
from tests.support.service import Http, Service

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

SHORTEN = {
    "kind": "python",
    "name": "shorten",
    "description": "Make a text shorter.",
    "entry_point": "textwrap:shorten",
    "arguments": [
        {"name": "text"},
        {"name": "width", "type": {"kind": "primitive", "name": "integer"}},
    ],
}
LONG = "a text that is far too long"


def agent(*tools: dict[str, Any]) -> dict[str, Any]:
    module = {
        "kind": "react",
        "signature_syntax": "question -> answer",
        "parameters": {"tools": list(tools)},
    }
    return {"name": "agent", "modules": [module]}


@pytest.fixture
def http(service: Service, monkeypatch: pytest.MonkeyPatch) -> Http:
    """The API as a tenant of its own, over a model that knows how an agent works."""
    act = {"next_tool_name": "shorten", "next_tool_args": {"text": LONG, "width": 12}}
    end = {"next_tool_name": "finish", "next_tool_args": {}}
    replies: list[tuple[str, dict[str, Any]]] = [
        ("`[[ ## reasoning ## ]]`", {"reasoning": "It is short.", "answer": "a text"}),
        ("observation_0", {"next_thought": "Done.", **end}),
        ("", {"next_thought": "I shorten it.", **act}),
    ]
    monkeypatch.setattr(service.lm, "script", Script(replies=replies))
    monkeypatch.setattr(service.lm, "_answer", lambda body: ScriptedLm._answer(service.lm, body))
    return service.http()


@pytest.mark.feature("MOD-25")
def test_mod_25_an_allowed_function_is_called_by_a_worker_once_and_never_by_a_replay(
    http: Http, service: Service
) -> None:
    http.post("/v1/programs", agent(SHORTEN))
    ended = http.post("/v1/programs/agent/execute", {"inputs": {"question": "?"}}, wait=60)
    assert ended["status"] == "completed", ended
    assert ended["outputs"]["answer"] == "a text"
    trace = http.pages(f"/v1/executions/{ended['execution_id']}/trace")
    assert [call["kind"] for call in trace] == ["model", "tool", "model", "model"]
    used = trace[1]
    assert (used["tool"], used["arguments"], used["result"]) == (
        "shorten",
        {"text": LONG, "width": 12},
        "a text [...]",
    )
    asked = service.lm.calls
    replay = http.post(f"/v1/executions/{ended['execution_id']}/replay", wait=60)
    assert (replay["outcome"], replay["answered_from_log"]) == ("verified", 4)
    assert service.lm.calls == asked
