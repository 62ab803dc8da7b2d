"""Providers over HTTP: their keys are nowhere, and what is not allowed is refused by name."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from domain.execution.events import ExecutionRequested
from domain.values import Cache
from tests.support.api import ApiWorld, a_program

CANARY = "sk-canary-83a1"


@pytest.fixture
def gpt(api: TestClient) -> dict[str, Any]:
    """A provider called gpt, as the reply to its registration has it."""
    body = {"name": "gpt", "kind": "openai", "secret": "env:OPENAI_API_KEY", "id": str(uuid4())}
    reply = api.post("/v1/providers", json=body)
    assert reply.status_code == 201, reply.text
    assert api.post("/v1/providers", json=body).json() == reply.json()
    made: dict[str, Any] = reply.json()
    return made


@pytest.mark.feature("LMP-10")
def test_lmp_10_a_provider_is_read_with_the_models_that_go_without_saying(
    api: TestClient, gpt: dict[str, Any]
) -> None:
    found = api.get("/v1/providers/gpt").json()
    assert found["models"] == [{"name": "gpt-4", "temperature": 0.0, "max_tokens": 1000}]
    assert (found["provider_id"], found["secret"]) == (gpt["id"], "env:OPENAI_API_KEY")
    assert found["is_default"] is False
    assert api.get("/v1/providers").json()["items"] == [found]
    assert api.get("/v1/providers/other").json()["code"] == "not_found"


def test_it_is_changed_rotated_disabled_and_enabled(api: TestClient, gpt: dict[str, Any]) -> None:
    steps: list[tuple[str, dict[str, Any] | None, dict[str, Any]]] = [
        ("change", {"models": [{"name": "gpt-4o"}]}, {"base_url": None}),
        ("rotate", {"secret": "env:OTHER_KEY"}, {"secret": "env:OTHER_KEY"}),
        ("disable", {"reason": "It leaks."}, {"disabled_because": "It leaks."}),
        ("enable", None, {"disabled_at": None, "disabled_because": None}),
    ]
    for version, (action, body, shown) in enumerate(steps, start=2):
        assert api.post(f"/v1/providers/gpt/{action}", json=body).is_success
        found = api.get("/v1/providers/gpt").json()
        assert found["version"] == version
        assert found.items() >= shown.items()
    assert [each["name"] for each in found["models"]] == ["gpt-4o"]
    stale = api.post("/v1/providers/gpt/disable", json={}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    told = api.get("/v1/audit").text
    assert "registered provider “gpt”, which is openai, with 1 model" in told


@pytest.mark.feature("LMP-04")
def test_lmp_04_one_provider_is_the_default(api: TestClient, gpt: dict[str, Any]) -> None:
    api.post("/v1/providers", json={"name": "here", "kind": "local"})
    for name in ("gpt", "here"):
        assert api.post(f"/v1/providers/{name}/default").is_success
        items = api.get("/v1/providers").json()["items"]
        assert [each["name"] for each in items if each["is_default"]] == [name]
    assert api.delete("/v1/providers/default").is_success
    assert not any(each["is_default"] for each in api.get("/v1/providers").json()["items"])
    assert gpt["id"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"kind": "bedrock"}, 422, "request.invalid"),
        ({"secret": CANARY}, 422, "request.invalid"),
        ({"secret": None}, 422, "provider.invalid"),
        ({"base_url": "http://169.254.169.254/latest"}, 403, "provider.not_allowed"),
        ({"secret": "env:PATH"}, 403, "provider.not_allowed"),
        ({"name": "gpt"}, 409, "name.taken"),
        ({"models": [{"name": "gpt 4"}]}, 422, "request.invalid"),
    ],
)
@pytest.mark.feature("LMP-16")
def test_lmp_16_what_cannot_be_asked_is_refused(
    api: TestClient, gpt: dict[str, Any], change: dict[str, Any], status: int, code: str
) -> None:
    body = {"name": "other", "kind": "openai", "secret": "env:OPENAI_API_KEY", **change}
    reply = api.post("/v1/providers", json=body)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    if "kind" in change:
        for kind in ("openai", "anthropic", "cohere", "local", "openai_compatible", "litellm"):
            assert f"'{kind}'" in reply.json()["faults"][0]["message"]
    assert gpt["id"]


@pytest.mark.feature("LMP-21")
def test_lmp_21_a_key_itself_is_refused_and_kept_nowhere(
    api: TestClient, world: ApiWorld, gpt: dict[str, Any]
) -> None:
    body = {"name": "other", "kind": "openai", "secret": CANARY}
    refused = api.post("/v1/providers", json=body)
    assert "env:OPENAI_API_KEY" in refused.json()["faults"][0]["message"]
    rotated = api.post(f"/v1/providers/{gpt['id']}/rotate", json={"secret": CANARY})
    assert rotated.status_code == 422
    for told in (refused.text, rotated.text, str(world.log.recorded), str(world.attempts.noted)):
        assert CANARY not in told


def test_a_run_is_on_the_model_that_was_resolved_when_it_was_asked_for(
    api: TestClient, world: ApiWorld, gpt: dict[str, Any]
) -> None:
    a_program(api)
    before = len(world.engine.models)
    run = {"inputs": {"message": "It crashes."}}
    first = api.post("/v1/programs/triage/execute", json=run).json()["execution_id"]
    assert _model_of(world, first) is None, "nobody chose: the model of the workers answers"
    api.post("/v1/providers/gpt/default")
    usual = api.post("/v1/programs/triage/execute", json=run).json()["execution_id"]
    named = {**run, "model": "gpt/gpt-4"}
    chosen = api.post("/v1/programs/triage/execute", json=named).json()["execution_id"]
    assert _model_of(world, usual) == _model_of(world, chosen) == "gpt/gpt-4"
    api.post("/v1/providers/gpt/disable", json={})
    refused = api.post("/v1/programs/triage/execute", json=run)
    assert (refused.status_code, refused.json()["code"]) == (409, "provider.disabled")
    unknown = api.post("/v1/programs/triage/execute", json={**run, "model": "other"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "provider.unknown")
    replayed = api.post(f"/v1/executions/{chosen}/replay").json()
    assert replayed["outcome"] == "verified", "a replay asks nobody"
    keys = [each and each.api_key for each in world.engine.models[before:]]
    assert keys == [None, "OPENAI_API_KEY", "OPENAI_API_KEY", "none"]
    assert gpt["id"]


def test_a_run_on_a_model_of_a_provider_uses_the_caches_that_its_program_names(
    api: TestClient, world: ApiWorld, gpt: dict[str, Any]
) -> None:
    modules = [{"kind": "predict", "signature_syntax": "message -> queue"}]
    body = {"name": "kept", "modules": modules, "config": {"cache": list(Cache)}}
    assert api.post("/v1/programs", json=body).is_success
    run = {"inputs": {"message": "It crashes."}, "wait": 0}
    for model in (None, "gpt"):
        ran = api.post("/v1/programs/kept/execute", json={**run, "model": model}).json()
        assert _requested(world, ran["execution_id"]).caches == tuple(Cache)
    world.work()  # or the next test's worker does
    assert gpt["id"]


def _model_of(world: ApiWorld, execution_id: str) -> str | None:
    return _requested(world, execution_id).model


def _requested(world: ApiWorld, execution_id: str) -> ExecutionRequested:
    requested = world.log.stream(UUID(execution_id))[0].event
    assert isinstance(requested, ExecutionRequested)
    return requested
