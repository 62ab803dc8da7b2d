"""Batches over HTTP: JSON lines in, JSON lines out, and all that a client does in between."""

import json
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from application.lm_ports import ProgramFailed
from domain.values import Failure
from tests.support.api import ApiWorld, a_program

LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def world(world: ApiWorld) -> ApiWorld:
    world.runner.error = None
    return world


def request(api: TestClient, rows: str, **headers: str) -> httpx2.Response:
    path = "/v1/programs/triage/batches"
    return api.post(path, content=rows, headers=LINES | headers, params={"concurrency": 3})


def rows(count: int) -> str:
    return "".join(json.dumps({"message": f"Row {n}."}) + "\n" for n in range(1, count + 1))


def results(api: TestClient, batch: str) -> list[Any]:
    reply = api.get(f"/v1/batches/{batch}/results")
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in reply.text.splitlines()]


def test_lines_go_in_and_results_come_out_in_their_order(api: TestClient, world: ApiWorld) -> None:
    program = a_program(api)
    reply = request(api, rows(450))
    assert reply.status_code == 202, reply.text
    place, batch = reply.headers["Location"], reply.json()["id"]
    found = api.get(place).json()
    counts = ("rows", "begun", "completed", "failed", "cancelled")
    assert [found[name] for name in counts] == [450, 0, 0, 0, 0]
    assert {each["status"] for each in results(api, batch)} == {"waiting"}
    world.work()
    reply = api.get(place)
    assert reply.headers["ETag"] == '"2"'
    assert [reply.json()[name] for name in counts] == [450, 450, 450, 0, 0]
    assert reply.json()["status"] == "completed"
    told = results(api, batch)
    assert [each["row"] for each in told] == [*range(1, 451)]
    assert {json.dumps(each["outputs"]) for each in told} == {'{"queue": "bug"}'}
    run = api.get(f"/v1/executions/{told[449]['execution_id']}").json()
    assert (run["inputs"]["message"], run["status"]) == ("Row 450.", "completed")
    listed = api.get("/v1/batches", params={"program_id": program, "status": "completed"})
    assert [each["batch_id"] for each in listed.json()["items"]] == [batch]


def test_all_bad_lines_are_named_and_nothing_is_stored(api: TestClient) -> None:
    a_program(api)
    reply = request(api, '{"message": "Good."}\n{"massage": "x"}\n{"message"\n')
    assert (reply.status_code, reply.json()["code"]) == (422, "batch.rows_malformed")
    told = [each["message"] for each in reply.json()["faults"]]
    assert [each[:6] for each in told] == ["Line 2", "Line 2", "Line 3"]
    assert api.get("/v1/batches").json()["items"] == []


def test_other_bodies_are_refused(api: TestClient) -> None:
    a_program(api)
    path = "/v1/programs/triage/batches"
    assert api.post(path, json=[{"message": "x"}]).status_code == 415
    assert (
        api.post(path, content=rows(1), headers=LINES, params={"concurrency": 65})
        .json()["code"]
        .startswith("request.")
    )


def test_a_request_that_is_repeated_is_one_batch(api: TestClient) -> None:
    a_program(api)
    first = request(api, rows(2), **{"Idempotency-Key": "once"})
    again = request(api, rows(2), **{"Idempotency-Key": "once"})
    assert again.json() == first.json()
    other = request(api, rows(3), **{"Idempotency-Key": "once"})
    assert other.json()["code"] == "idempotency_key.reused"
    assert len(api.get("/v1/batches").json()["items"]) == 1


def test_a_failed_row_says_why_and_the_others_go_on(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    world.runner.error = ProgramFailed(Failure(code="program.failed", message="It failed."))
    batch = request(api, rows(2)).json()["id"]
    world.work()
    assert [(each["status"], each["failure"]["code"]) for each in results(api, batch)] == [
        ("failed", "program.failed")
    ] * 2
    assert api.get(f"/v1/batches/{batch}").json()["failed"] == 2


def test_a_cancelled_batch_begins_no_more_rows(api: TestClient) -> None:
    a_program(api)
    batch = request(api, rows(2)).json()["id"]
    stale = api.post(f"/v1/batches/{batch}/cancel", json={}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert api.post(f"/v1/batches/{batch}/cancel", json={"reason": "Wrong."}).status_code == 200
    assert [each["status"] for each in results(api, batch)] == ["cancelled"] * 2
    assert api.post(f"/v1/batches/{batch}/resume").json()["code"] == "batch.ended"


def test_a_paused_batch_goes_on_when_there_is_money_again(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    budget = api.post("/v1/budgets", json={"hold_usd": "1"}).json()["id"]
    batch = request(api, rows(4)).json()["id"]
    world.work()
    found = api.get(f"/v1/batches/{batch}").json()
    assert (found["status"], found["paused_because"]["code"]) == ("paused", "budget.spent")
    api.post(f"/v1/budgets/{budget}/grant", json={"usd": "100"})
    assert api.post(f"/v1/batches/{batch}/resume").status_code == 200
    world.work()
    assert api.get(f"/v1/batches/{batch}").json()["completed"] == 4


def test_what_nobody_requested_is_not_found(api: TestClient) -> None:
    nobodys = "/v1/batches/00000000-0000-4000-8000-000000000000"
    assert api.get(nobodys).status_code == 404
    assert api.get(f"{nobodys}/results").status_code == 404
    assert request(api, rows(1)).status_code == 404
