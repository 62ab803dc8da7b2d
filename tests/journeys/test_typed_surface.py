"""A program is typed where everybody looks it up, as soon as it is there, in real processes."""

from pathlib import Path
from typing import Any

import pytest

from infrastructure.client import Stratal
from infrastructure.client.generator import typed_client
from tests.support.service import Http, Service

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

SYNTAX = "message: str, share: probability, tags: list[str] -> queue: Literal['bug', 'billing']"
MODULES = [{"kind": "predict", "signature_syntax": SYNTAX}]


def test_a_new_program_is_typed_at_the_position_of_its_creation(http: Http) -> None:
    assert "/v1/programs/triage/execute" not in http.get("/openapi.json")["paths"]
    made = http.post("/v1/programs", {"name": "triage", "modules": MODULES})
    document = http.get("/openapi.json", at_least=made["position"])
    assert "/v1/programs/triage/execute" in document["paths"]
    inputs = document["components"]["schemas"]["TriageInputs"]["properties"]
    assert inputs["share"] == {"type": "number", "minimum": 0, "maximum": 1}


@pytest.mark.parametrize("by", ["name", "id"])
def test_wrong_inputs_leave_no_trace_and_every_fault_is_named(
    service: Service, http: Http, by: str
) -> None:
    program = http.post("/v1/programs", {"name": "triage", "modules": MODULES})["id"]
    path = f"/v1/programs/{'triage' if by == 'name' else program}/execute"
    before = _traces(service)
    wrong: dict[str, Any] = {"share": 2, "tags": ["a", 7], "surprise": True}
    reply = http.send("POST", path, json={"inputs": wrong})
    assert reply.status_code == 422
    assert {fault["pointer"] for fault in reply.json()["faults"]} == {
        "/inputs/message",
        "/inputs/share",
        "/inputs/tags/1",
        "/inputs/surprise",
    }
    assert _traces(service) == before


def test_a_generated_client_calls_the_service(service: Service, tmp_path: Path) -> None:
    with Stratal(service.url, "typed", "ann") as api:
        api.programs.create("triage", "message: str -> queue: str")
        out = tmp_path / "client.py"
        out.write_text(typed_client(api.get("/openapi.json")))
        scope: dict[str, Any] = {}
        exec(compile(out.read_text(), str(out), "exec"), scope)
        ran = scope["Programs"](api).triage.execute({"message": "My invoice is wrong"})
    assert (ran["status"], ran["outputs"]) == ("completed", {"queue": "howto"})


def _traces(service: Service) -> object:
    """What a request may have left: facts, texts, and calls of the model."""
    texts = service.rows("SELECT count(*) FROM stratal.payloads")
    return service.head(), texts, service.lm.calls
