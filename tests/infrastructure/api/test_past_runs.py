"""Recorded executions as rows of a dataset, over HTTP."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from application.lm_ports import ProgramFailed
from domain.values import Failure
from infrastructure import past_runs
from tests.support.api import ApiWorld, a_program

ROWS = "/v1/datasets/recorded/rows"


@pytest.fixture
def world(world: ApiWorld) -> ApiWorld:
    world.runner.error = None
    return world


def ran(api: TestClient, message: str) -> str:
    reply = api.post("/v1/programs/triage/execute", json={"inputs": {"message": message}})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["execution_id"])


def load(api: TestClient, key: str | None = None, **asked: object) -> Any:
    body = {"program": "triage", "split": "train"} | asked
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.post(f"{ROWS}/from-executions", json=body, headers=headers)


@pytest.fixture
def recorded(api: TestClient, world: ApiWorld) -> TestClient:
    """A tenant with a program that ran, and a dataset without rows."""
    a_program(api)
    api.post("/v1/datasets", json={"name": "recorded"})
    return api


def test_completed_executions_become_rows_that_name_them(
    recorded: TestClient, world: ApiWorld
) -> None:
    executions = [ran(recorded, message) for message in ("One.", "Two.", "Three.")]
    world.runner.error = ProgramFailed(Failure(code="program.failed", message="It failed."))
    ran(recorded, "Four.")
    reply = load(recorded, limit=2)
    assert reply.status_code == 201, reply.text
    assert (reply.json()["rows"], reply.json()["repeated"]) == (2, 0)
    found = recorded.get(ROWS).json()["items"]
    assert [each["values"] for each in found] == [
        {"message": message, "queue": "bug"} for message in ("Two.", "Three.")
    ]
    assert [each["metadata"]["_execution_id"] for each in found] == executions[1:]
    again = load(recorded).json()
    assert (again["rows"], again["repeated"], again["version"]) == (3, 2, 3)


def test_a_repeated_request_loads_nothing_twice(recorded: TestClient) -> None:
    ran(recorded, "One.")
    first = load(recorded, key="once").json()
    ran(recorded, "Two.")
    assert load(recorded, key="once").json() == first
    assert recorded.get("/v1/datasets/recorded").json()["size"] == 1


def test_they_are_read_page_by_page(recorded: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_runs, "MAX_LIMIT", 2)
    for number in range(5):
        ran(recorded, f"Row {number}.")
    assert load(recorded, limit=1000).json()["rows"] == 5
    assert load(recorded, limit=3).json()["rows"] == 3
    assert load(recorded, limit=4).json()["rows"] == 4


def test_they_are_narrowed_as_the_list_of_executions_is(recorded: TestClient) -> None:
    ran(recorded, "One.")
    for narrowed in (
        {"program_version": 2},
        {"actor": "nobody"},
        {"since": "2100-01-01T00:00:00Z"},
        {"until": "2000-01-01T00:00:00Z"},
        {"tokens_above": 10**6},
    ):
        refused = load(recorded, **narrowed)
        assert (refused.status_code, refused.json()["code"]) == (409, "execution.none_recorded")
    assert load(recorded, limit=1001).status_code == 422
