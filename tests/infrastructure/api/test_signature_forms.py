"""Signatures over HTTP in their other forms: registered, as schemas, written within a module."""

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld

SYNTAX = "question: string(min_length=1) -> answer, score?: integer(ge=0)"


def schema(api: TestClient, **asked: str) -> dict[str, object]:
    reply = api.get("/v1/signatures/qa/json-schema", params=asked)
    assert reply.status_code == 200
    shown: dict[str, object] = reply.json()
    return shown


@pytest.mark.feature("SIG-26")
def test_sig_26_a_schema_is_shown_as_each_provider_asks_for_it(api: TestClient) -> None:
    api.post("/v1/signatures", json={"name": "qa", "syntax": SYNTAX})
    score = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
    assert schema(api) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"answer": {"type": "string"}, "score": {**score, "default": None}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    assert schema(api, **{"for": "openai"}) == {
        "name": "qa",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"answer": {"type": "string"}, "score": score},
            "required": ["answer", "score"],
            "additionalProperties": False,
        },
    }
    assert schema(api, **{"for": "anthropic"})["name"] == "qa"
    inputs = schema(api, side="inputs")["properties"]
    assert inputs == {"question": {"type": "string", "minLength": 1}}


@pytest.mark.feature("SIG-26")
def test_sig_26_a_schema_for_nobody_known_is_refused(api: TestClient) -> None:
    api.post("/v1/signatures", json={"name": "qa", "syntax": SYNTAX})
    reply = api.get("/v1/signatures/qa/json-schema", params={"for": "nobody"})
    assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid")
    reply = api.get("/v1/signatures/nothing/json-schema")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


@pytest.mark.feature("SIG-21")
def test_sig_21_registering_twice_appends_one_event(api: TestClient, world: ApiWorld) -> None:
    before = len(world.log.recorded)
    body = {"name": "registered", "syntax": SYNTAX}
    first, again = (api.post("/v1/signatures/register", json=body) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["position"] == 0
    assert len(world.log.recorded) == before + 1


@pytest.mark.feature("SIG-34")
def test_sig_34_a_module_may_hold_its_signature(api: TestClient) -> None:
    body = {"kind": "predict", "signature": SYNTAX}
    modules = [
        api.post("/v1/modules", json={"name": name, **body}).json()["id"] for name in ("a", "b")
    ]
    rows = [api.get(f"/v1/modules/{module}").json() for module in modules]
    assert rows[0]["signature_id"] == rows[1]["signature_id"]
    (signature,) = api.get("/v1/signatures").json()["items"]
    assert signature["signature_id"] == rows[0]["signature_id"]
    assert signature["name"].startswith("question-to-answer-score-")


@pytest.mark.feature("SIG-34")
def test_sig_34_a_module_is_of_one_signature(api: TestClient) -> None:
    reply = api.post("/v1/modules", json={"name": "a", "kind": "predict"})
    assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid")
    body = {"name": "a", "kind": "predict", "signature": "a b"}
    reply = api.post("/v1/modules", json=body)
    assert reply.status_code == 422
    assert [fault["pointer"] for fault in reply.json()["faults"]] == ["/signature"]


@pytest.mark.feature("SIG-17")
def test_sig_17_an_unknown_type_is_told_with_place_and_suggestion(api: TestClient) -> None:
    reply = api.post("/v1/signatures/compile", json={"syntax": "a,\nfoo: strng -> b"})
    (fault,) = reply.json()["faults"]
    assert fault["message"] == ("Invalid type: strng at line 2, column 6. Did you mean string?")


@pytest.mark.feature("SIG-02")
def test_sig_02_a_signature_comes_back_with_order_and_every_key(api: TestClient) -> None:
    written = {
        "inputs": [
            {
                "name": name,
                "type": {
                    "kind": "constrained",
                    "of": {"kind": "primitive", "name": "integer"},
                    "constraints": {"ge": 0, "lt": 9},
                },
                "description": f"The {name}.",
                "optional": True,
                "has_default": True,
                "default": 3,
            }
            for name in ("z", "a", "m")
        ],
        "outputs": [
            {
                "name": "b",
                "type": {"kind": "primitive", "name": "string"},
                "description": None,
                "optional": False,
                "has_default": False,
                "default": None,
            }
        ],
        "instructions": None,
    }
    made = api.post("/v1/signatures", json={"name": "ordered", "spec": written}).json()
    shown = api.get(f"/v1/signatures/{made['id']}?at_least={made['position']}").json()["spec"]
    assert shown == written
    assert str(shown) == str(written)  # in the same order, at every depth
