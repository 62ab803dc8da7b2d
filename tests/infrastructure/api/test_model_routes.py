"""Routes over HTTP, and a run that names one: which model answered it, and why."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program

SMALL = {"model": "here", "weight": 3, "input_size_max": 100}
LARGE = {"model": "gpt/gpt-4", "cost_limit_usd": "0.10", "context_required": "message"}


@pytest.fixture
def route(api: TestClient) -> dict[str, Any]:
    """A route called by size, as the reply to its creation has it."""
    api.post("/v1/providers", json={"name": "here", "kind": "local"})
    gpt = {"name": "gpt", "kind": "openai", "secret": "env:OPENAI_API_KEY"}
    api.post("/v1/providers", json=gpt)
    body = {"name": "by size", "strategy": "fallback", "candidates": [SMALL, LARGE]}
    body |= {"id": str(uuid4())}
    reply = api.post("/v1/routes", json=body)
    assert reply.status_code == 201, reply.text
    assert api.post("/v1/routes", json=body).json() == reply.json()
    made: dict[str, Any] = reply.json()
    return made


def test_it_is_read_with_what_holds_for_each_model(api: TestClient, route: dict[str, Any]) -> None:
    found = api.get("/v1/routes/by size").json()
    assert (found["route_id"], found["strategy"]) == (route["id"], "fallback")
    nothing = dict.fromkeys(("input_size_max", "cost_limit_usd", "context_required"))
    small = {**nothing, **SMALL, "model": "here/smollm2"}
    assert found["candidates"] == [small, {**nothing, "weight": 1, **LARGE}]
    assert api.get("/v1/routes").json()["items"] == [found]
    assert api.get("/v1/routes/other").json()["code"] == "not_found"


def test_it_is_changed_disabled_and_enabled(api: TestClient, route: dict[str, Any]) -> None:
    plan = {"strategy": "primary", "candidates": [{"model": "here"}]}
    steps: list[tuple[str, dict[str, Any] | None, dict[str, Any]]] = [
        ("change", plan, {"strategy": "primary"}),
        ("disable", {"reason": "It is tried out."}, {"disabled_because": "It is tried out."}),
        ("enable", None, {"disabled_at": None, "disabled_because": None}),
    ]
    for version, (action, body, shown) in enumerate(steps, start=2):
        assert api.post(f"/v1/routes/{route['id']}/{action}", json=body).is_success
        found = api.get("/v1/routes/by size").json()
        assert found["version"] == version
        assert found.items() >= shown.items()
    assert [each["model"] for each in found["candidates"]] == ["here/smollm2"]
    stale = api.post("/v1/routes/by size/disable", json={}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    told = api.get("/v1/audit").text
    for sentence in (
        "created route “by size”, fallback, among 2 models",
        "had route “by size” choose, primary, among 1 model",
        "disabled route “by size” because “It is tried out.”",
        "enabled route “by size”",
    ):
        assert sentence in told


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"strategy": "best"}, 422, "request.invalid"),
        ({"candidates": []}, 422, "request.invalid"),
        ({"candidates": [{"model": "here", "weight": 0}]}, 422, "request.invalid"),
        ({"candidates": [{"model": "here", "cost_limit_usd": "-1"}]}, 422, "request.invalid"),
        ({"candidates": [{"model": "here"}, {"model": "here"}]}, 422, "route.invalid"),
        ({"candidates": [{"model": "nobody"}]}, 422, "provider.unknown"),
        ({"name": "by size"}, 409, "name.taken"),
    ],
)
def test_what_nothing_could_be_chosen_by_is_refused(
    api: TestClient, route: dict[str, Any], change: dict[str, Any], status: int, code: str
) -> None:
    body = {"name": "other", "strategy": "primary", "candidates": [{"model": "here"}], **change}
    reply = api.post("/v1/routes", json=body)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert route["id"]


@pytest.mark.feature("RTR-01")
def test_rtr_01_a_run_shows_which_model_was_chosen_and_by_what(
    api: TestClient, world: ApiWorld, route: dict[str, Any]
) -> None:
    a_program(api)
    run = {"inputs": {"message": "It crashes."}, "model": "route:by size"}
    made = api.post("/v1/programs/triage/execute", json=run).json()
    assert made["model"] == "here/smollm2"
    routing = made["routing"]
    assert routing["choice"]["fallback"] is None, "the other one is of unknown price"
    assert "gpt/gpt-4 costs nobody knows what" in routing["choice"]["reason"]
    assert routing["route_id"] == route["id"]
    found = api.get(f"/v1/executions/{made['execution_id']}").json()
    assert found["routing"] == routing
    told = api.get("/v1/audit").text
    assert f"had model here/smollm2 of route by size answer run {made['execution_id']}" in told
    other = api.post("/v1/programs/triage/execute", json={**run, "model": "route:other"})
    assert (other.status_code, other.json()["code"]) == (422, "route.unknown")


@pytest.mark.feature("RTR-04")
def test_rtr_04_a_run_that_no_model_may_answer_says_so(
    api: TestClient, route: dict[str, Any]
) -> None:
    a_program(api)
    run = {"inputs": {"message": "x" * 100}, "model": "route:by size"}
    made = api.post("/v1/programs/triage/execute", json=run).json()
    assert (made["status"], made["failure"]["code"]) == ("failed", "route.no_model_available")
    assert "here/smollm2 takes 100 bytes at most" in made["failure"]["message"]
    assert made["model"] == "route:by size"
    api.post(f"/v1/routes/{route['id']}/disable", json={})
    refused = api.post("/v1/programs/triage/execute", json=run)
    assert (refused.status_code, refused.json()["code"]) == (409, "route.disabled")
