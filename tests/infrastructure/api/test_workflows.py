"""Workflows over HTTP: defined by names, started, watched, called off, undone."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import JsonValue

from application.tool_ports import ToolFailed
from domain.values import Failure
from tests.support.api import ApiWorld, a_program
from tests.support.sagas import Shop


def shelved(api: TestClient, name: str, *arguments: str) -> None:
    """Put a tool on the shelf that takes texts."""
    spec = {
        "kind": "python",
        "name": name,
        "description": f"{name} of the shop.",
        "entry_point": f"shop.more:{name}",
        "arguments": [{"name": each} for each in arguments],
    }
    assert api.post("/v1/tools", json={"spec": spec}).status_code == 201


@pytest.fixture
def shop(world: ApiWorld) -> Shop:
    """The tools of the world, as new."""
    world.has_worker = True
    world.runner.error = None
    world.shop.calls.clear()
    world.shop.does = lambda name: f"{name} is done"
    return world.shop


def steps(program: str, *, message: str = "message") -> list[dict[str, Any]]:
    queue = {"step": "classify", "field": "queue"}
    return [
        {
            "name": "file",
            "do": {"kind": "tool", "tool": "file", "inputs": {"message": {"field": message}}},
            "undo": {
                "kind": "tool",
                "tool": "withdraw",
                "inputs": {"order": {"step": "file", "field": "result"}},
            },
        },
        {
            "name": "classify",
            "do": {
                "kind": "program",
                "program": program,
                "inputs": {"message": {"field": message}},
            },
        },
        {
            "name": "route",
            "do": {"kind": "tool", "tool": "route", "inputs": {"queue": queue}, "retries": 0},
            "when": {"op": "eq", "field": "classify.queue", "value": "bug"},
        },
    ]


@pytest.fixture
def orders(api: TestClient, shop: Shop) -> dict[str, Any]:
    """A workflow called orders, with all that it needs."""
    a_program(api)
    shelved(api, "file", "message")
    shelved(api, "withdraw", "order")
    shelved(api, "route", "queue")
    body = {"name": "orders", "inputs": [{"name": "message"}], "steps": steps("triage")}
    reply = api.post("/v1/workflows", json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def started(api: TestClient, **query: Any) -> Any:
    return api.post(
        "/v1/workflows/orders/start", json={"inputs": {"message": "It crashes"}}, params=query
    )


@pytest.mark.feature("VIS-17")
def test_vis_17_an_order_is_filed_classified_and_routed(
    api: TestClient, orders: dict[str, Any], shop: Shop
) -> None:
    reply = started(api)
    assert reply.status_code == 200, reply.text
    run = reply.json()
    assert run["status"] == "completed"
    assert [(it["step"], it["status"]) for it in run["steps"]] == [
        ("file", "completed"),
        ("classify", "completed"),
        ("route", "completed"),
    ]
    assert run["inputs"] == {"message": "It crashes"}
    assert run["steps"][1]["outputs"] == {"queue": "bug"}
    assert run["steps"][2]["inputs"] == {"queue": "bug"}
    assert shop.called == ["file", "route"]
    found = api.get(f"/v1/workflow-runs/{run['workflow_run_id']}")
    assert found.json() == run
    [listed] = api.get("/v1/workflow-runs", params={"workflow_id": orders["id"]}).json()["items"]
    assert listed == {name: value for name, value in run.items() if name in listed}
    assert api.get("/v1/workflow-runs", params={"status": "failed"}).json()["items"] == []


def test_what_a_workflow_says_is_read_by_name_and_version(
    api: TestClient, orders: dict[str, Any]
) -> None:
    found = api.get("/v1/workflows/orders").json()
    assert (found["workflow_version"], found["workflow_id"]) == (1, orders["id"])
    assert found["spec"]["steps"][1]["do"]["program_version"] == 1
    short = {"inputs": [{"name": "message"}], "steps": steps("triage")[:1]}
    assert api.post("/v1/workflows/orders/revise", json=short).json()["version"] == 2
    assert len(api.get("/v1/workflows/orders").json()["spec"]["steps"]) == 1
    assert api.get("/v1/workflows/orders/versions/1").json() == found["spec"]
    missing = api.get("/v1/workflows/orders/versions/3")
    assert (missing.status_code, missing.json()["code"]) == (404, "workflow.version_not_found")
    [listed] = api.get("/v1/workflows", params={"name": "orders"}).json()["items"]
    assert listed["workflow_version"] == 2


def test_faults_are_named_all_at_once_where_they_lie(
    api: TestClient, orders: dict[str, Any]
) -> None:
    wrong = steps("triage", message="text")
    wrong[2]["do"]["retries"] = 9
    body = {"name": "wrong", "inputs": [{"name": "message"}], "steps": wrong}
    refused = api.post("/v1/workflows", json=body)
    assert refused.status_code == 422
    wrong[2]["do"]["retries"] = 0
    faults = api.post("/v1/workflows", json=body).json()["faults"]
    assert [fault["pointer"] for fault in faults] == [
        "/steps/0/do/inputs/message/field",
        "/steps/1/do/inputs/message/field",
    ]
    missing = {"name": "gone", "steps": steps("gone")}
    [fault] = api.post("/v1/workflows", json=missing).json()["faults"]
    assert fault["pointer"] == "/steps/1/do/program"


@pytest.mark.feature("VIS-31")
def test_vis_31_what_was_done_is_undone_and_the_run_says_why(
    api: TestClient, orders: dict[str, Any], shop: Shop
) -> None:
    def refuse(name: str) -> JsonValue:
        if name == "route":
            raise ToolFailed(Failure(code="tool.refused", message="Nobody is there."))
        return name

    shop.does = refuse
    run = started(api).json()
    assert (run["status"], run["failure"]["message"]) == ("undone", "Nobody is there.")
    assert {it["step"]: it["status"] for it in run["steps"]} == {
        "file": "undone",
        "classify": "completed",
        "route": "failed",
    }
    assert shop.called == ["file", "route", "withdraw"]


def test_what_cannot_be_undone_is_listed_until_somebody_has_it_tried_again(
    api: TestClient, orders: dict[str, Any], shop: Shop, world: ApiWorld
) -> None:
    broken = {"route", "withdraw"}

    def refuse(name: str) -> JsonValue:
        if name in broken:
            raise ToolFailed(Failure(code="tool.not_allowed", message="No."))
        return name

    shop.does = refuse
    run = started(api).json()
    assert (run["status"], run["not_undone"]) == ("failed", ["file"])
    [listed] = api.get("/v1/workflow-runs", params={"status": "failed"}).json()["items"]
    assert listed["workflow_run_id"] == run["workflow_run_id"]
    broken.clear()
    path = f"/v1/workflow-runs/{run['workflow_run_id']}"
    assert api.post(f"{path}/undo").status_code == 200
    world.work()
    assert api.get(path).json()["status"] == "undone"


def test_a_run_is_called_off(
    api: TestClient, orders: dict[str, Any], shop: Shop, world: ApiWorld
) -> None:
    world.has_worker = False
    reply = started(api, wait=0)
    assert (reply.status_code, reply.json()["status"]) == (202, "running")
    path = f"/v1/workflow-runs/{reply.json()['workflow_run_id']}"
    assert api.post(f"{path}/cancel", json={"reason": "Enough."}).status_code == 200
    world.work()
    ended = api.get(path).json()
    assert (ended["status"], ended["cancelled_because"]) == ("undone", "Enough.")
    again = api.post(f"{path}/cancel", json={})
    assert (again.status_code, again.json()["code"]) == (409, "workflow_run.action_forbidden")
    assert shop.called == []


def test_what_happened_to_workflows_and_runs_is_their_history(
    api: TestClient, orders: dict[str, Any], shop: Shop
) -> None:
    shop.does = lambda name: name
    run = started(api).json()["workflow_run_id"]
    api.post("/v1/workflows/orders/retire", json={"reason": "superseded"})
    page = api.get("/v1/workflows/orders/history", params={"order": "oldest"}).json()
    assert [row["topic"] for row in page["items"]] == ["workflow.defined", "workflow.retired"]
    page = api.get(f"/v1/workflow-runs/{run}/history", params={"order": "oldest"}).json()
    assert page["items"][0]["topic"] == "workflow_run.started"
    assert page["items"][-1]["status"] == "completed"
    refused = started(api)
    assert (refused.status_code, refused.json()["code"]) == (409, "workflow.retired")
    missing = api.get(f"/v1/workflows/{uuid4()}")
    assert missing.status_code == 404
