"""The history of a thing over HTTP, of every kind of thing."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_dataset, a_program

pytestmark = pytest.mark.postgres


def history(api: TestClient, resource: str, thing: str, **query: Any) -> list[dict[str, Any]]:
    reply = api.get(f"/v1/{resource}/{thing}/history", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]  # type: ignore[no-any-return]  # the reply is data


def a_module(api: TestClient) -> str:
    signature = {"name": "routing", "syntax": "message: str -> queue: str"}
    signature_id = api.post("/v1/signatures", json=signature).json()["id"]
    module = {"name": "router", "kind": "predict", "signature_id": signature_id}
    return str(api.post("/v1/modules", json=module).json()["id"])


@pytest.mark.feature("AUD-04")
def test_aud_04_the_history_tells_what_was_changed_and_by_whom(api: TestClient) -> None:
    module = a_module(api)
    configured = api.post(
        f"/v1/modules/{module}/configure",
        json={"config": {"temperature": 0.5}},
        headers={"X-Stratal-Actor": "bob"},
    )
    newest, oldest = history(api, "modules", "router")
    assert newest["changes"] == [{"op": "replace", "path": "/config/temperature", "value": 0.5}]
    assert (newest["actor"], newest["command"]) == ("bob", "ConfigureModule")
    assert newest["version"] == 2
    assert newest["position"] == int(configured.headers["X-Stratal-Position"])
    assert {each["op"] for each in oldest["changes"]} == {"add"}
    assert "snapshot" not in newest
    full, _ = history(api, "modules", module, mode="full_diff")
    assert full["changes"] == [newest["changes"][0] | {"before": 0.0}]
    shown, _ = history(api, "modules", module, mode="snapshot")
    assert shown["snapshot"] == api.get("/v1/modules/router").json()
    assert "changes" not in shown


@pytest.mark.feature("AUD-02")
def test_aud_02_each_snapshot_is_what_the_thing_was_as_of_then(api: TestClient) -> None:
    program = a_program(api)
    api.post(f"/v1/programs/{program}/testing")
    api.post(f"/v1/programs/{program}/deploy", json={"reason": "Why not."})
    api.post(f"/v1/programs/{program}/retire", json={"reason": "Old."})
    shown = history(api, "programs", "triage", mode="snapshot")
    assert [each["status"] for each in shown] == ["retired", "production", "testing", "draft"]
    for each in shown:
        then = api.get(f"/v1/programs/{program}", params={"as_of": each["position"]}).json()
        assert then.pop("monthly_cost") is None, "It is no part of the program."
        assert each["snapshot"] == then
        assert each["version"] == then["version"]
    up_to = {"as_of": shown[1]["position"], "mode": "snapshot"}
    assert history(api, "programs", program, **up_to) == shown[1:]


@pytest.mark.feature("AUD-03")
def test_aud_03_versions_are_found_by_status(api: TestClient) -> None:
    program = a_program(api)
    api.post(f"/v1/programs/{program}/testing")
    api.post(f"/v1/programs/{program}/deploy", json={"reason": "Why not."})
    (live,) = history(api, "programs", program, status="production")
    assert (live["topic"], live["name"], live["config"]) == ("program.deployed", "triage", {})
    assert history(api, "programs", program, status="nothing") == []


def test_every_kind_of_thing_has_a_history(api: TestClient) -> None:
    program, dataset = a_program(api), a_dataset(api)
    things = {"programs": program, "datasets": dataset, "modules": a_module(api)}
    things["signatures"] = api.get("/v1/signatures").json()["items"][0]["signature_id"]
    inputs = {"inputs": {"message": "Hi."}}
    ran = api.post(f"/v1/programs/{program}/execute", json=inputs).json()
    things["executions"] = ran["execution_id"]
    wish = {"dataset": dataset, "metric": "exact_match"}
    for verb, resource in (("evaluate", "evaluations"), ("compile", "optimizations")):
        things[resource] = api.post(f"/v1/programs/{program}/{verb}", json=wish).json()["id"]
    for resource, thing in things.items():
        told = history(api, resource, thing, order="oldest")
        assert [each["version"] for each in told] == [*range(1, len(told) + 1)]
    assert history(api, "executions", things["executions"])[0]["status"] == "completed"


def test_pages_of_a_history_go_on(api: TestClient) -> None:
    a_dataset(api)
    first = api.get("/v1/datasets/tickets/history", params={"limit": 2}).json()
    rest = api.get(
        "/v1/datasets/tickets/history", params={"limit": 2, "cursor": first["next"]}
    ).json()
    assert [each["version"] for each in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next"] is None


def test_what_has_no_history_is_a_problem(api: TestClient, world: ApiWorld) -> None:
    program = a_program(api)
    with world.client("t-another") as other:
        assert other.get(f"/v1/programs/{program}/history").status_code == 404
    assert api.get(f"/v1/datasets/{program}/history").status_code == 404
    assert api.get("/v1/programs/nothing/history").status_code == 404
    assert api.get("/v1/kinds/x/history").status_code == 422
    assert api.get(f"/v1/programs/{program}/history?cursor=WzEsMl0").status_code == 422
