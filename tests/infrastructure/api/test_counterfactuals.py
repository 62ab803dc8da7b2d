"""Recorded executions run another way, over HTTP: what it would cost, and what came of it."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.lm_ports import ProgramFailed
from domain.values import Failure
from tests.support.api import ApiWorld, a_dataset, a_program

BATCHES = "/v1/batches"


@pytest.fixture(autouse=True)
def _told_for_this_test_only(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model is told to say here is not said to the tests that come next."""
    for name in ("asks", "outputs"):
        monkeypatch.setattr(world.runner, name, getattr(world.runner, name))


@pytest.fixture
def world(world: ApiWorld) -> ApiWorld:
    world.runner.error = None
    world.runner.asks, world.runner.outputs = ["first", "second"], {"queue": "bug"}
    return world


@pytest.fixture
def recorded(api: TestClient, world: ApiWorld) -> TestClient:
    """A tenant with a program that ran three times."""
    a_program(api)
    for message in ("It crashes.", "Invoice?", "How?"):
        reply = api.post("/v1/programs/triage/execute", json={"inputs": {"message": message}})
        assert reply.status_code == 200, reply.text
    return api


def asked(api: TestClient, key: str | None = None, **how: object) -> str:
    """Where the batch is."""
    headers = {} if key is None else {"Idempotency-Key": key}
    reply = api.post("/v1/programs/triage/counterfactuals", json=how, headers=headers)
    assert reply.status_code == 202, reply.text
    return f"{BATCHES}/{reply.json()['id']}"


def begun(api: TestClient, world: ApiWorld, place: str) -> None:
    assert api.post(f"{place}/resume").status_code == 200
    world.work()


def compared(api: TestClient, place: str, **how: object) -> Any:
    reply = api.get(f"{place}/comparison", params=dict(how))  # type: ignore[arg-type]  # of strings
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_it_is_estimated_then_begun_by_hand_and_then_compared(
    recorded: TestClient, world: ApiWorld
) -> None:
    world.runner.asks = ["first", "changed"]
    place = asked(recorded, of={"limit": 2})
    assert recorded.get(place).json()["status"] == "estimating"
    early = recorded.post(f"{place}/resume")
    assert (early.status_code, early.json()["code"]) == (409, "batch.not_estimated")
    world.work()
    found = recorded.get(place).json()
    assert (found["status"], found["varies_runs"], found["rows"]) == ("estimated", True, 2)
    assert found["estimate"] == {
        "executions": 2,
        "unchanged": 0,
        "reused": 2,
        "paid": 2,
        "unpriced": 0,
        "cost_usd": "0.002",
    }
    before = compared(recorded, place)
    assert (before["sums"]["ended"], before["items"][0]["after"]) == (0, None)
    world.runner.outputs = {"queue": "howto"}
    begun(recorded, world, place)
    done = compared(recorded, place, metric="exact_match")
    sums = done["sums"]
    assert (done["status"], done["estimate"]["paid"]) == ("completed", 2)
    assert (sums["ended"], sums["equal"], sums["reused"], sums["paid"]) == (2, 0, 2, 2)
    assert (sums["paid_usd"], sums["cost_before_usd"], sums["cost_after_usd"]) == (
        "0.002",
        "0.004",
        "0.004",
    )
    assert (sums["score_before"], sums["score_after"]) == (1, 0)
    first = done["items"][0]
    assert (first["before"]["outputs"], first["after"]["outputs"]) == (
        {"queue": "bug"},
        {"queue": "howto"},
    )
    run = recorded.get(f"/v1/executions/{first['after']['execution_id']}").json()
    assert run["varies"] == first["before"]["execution_id"]
    trace = recorded.get(f"/v1/executions/{run['execution_id']}/trace").json()["items"]
    assert [each["filled_by"] and each["filled_by"]["id"] for each in trace] == [
        run["varies"],
        None,
    ]


def test_a_page_shows_some_rows_and_the_sums_of_all(recorded: TestClient, world: ApiWorld) -> None:
    place = asked(recorded)
    world.work()
    begun(recorded, world, place)
    page = compared(recorded, place, limit="2")
    assert ([each["row"] for each in page["items"]], page["sums"]["equal"]) == ([1, 2], 3)
    rest = compared(recorded, place, limit="2", cursor=page["next"])
    assert ([each["row"] for each in rest["items"]], rest["next"]) == ([3], None)
    wrong = recorded.get(f"{place}/comparison", params={"cursor": "WyJhIl0"})
    assert wrong.json()["code"] == "page.cursor_invalid"


def test_rows_of_a_dataset_say_what_is_right(recorded: TestClient, world: ApiWorld) -> None:
    a_dataset(recorded)  # it knows two of the three
    place = asked(recorded)
    world.work()
    begun(recorded, world, place)
    done = compared(recorded, place, metric="exact_match", dataset="tickets")
    scores = {each["before"]["score"] for each in done["items"]}
    assert scores == {0, 1, None}
    assert done["sums"]["score_after"] == 0.5
    unknown = recorded.get(f"{place}/comparison", params={"metric": "vibes"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "metric.unknown")


def test_one_that_fails_scores_nothing_and_says_why(recorded: TestClient, world: ApiWorld) -> None:
    place = asked(recorded)
    world.work()
    world.runner.error = ProgramFailed(Failure(code="program.failed", message="It failed."))
    begun(recorded, world, place)
    done = compared(recorded, place, metric="exact_match")
    assert (done["sums"]["completed"], done["sums"]["score_after"]) == (0, 0)
    assert done["items"][0]["after"]["failure"]["code"] == "program.failed"
    assert done["items"][0]["is_equal"] is False


def test_a_repeated_request_makes_one_and_what_it_made_is_not_varied_again(
    recorded: TestClient, world: ApiWorld
) -> None:
    place = asked(recorded, key="once")
    assert asked(recorded, key="once") == place
    world.work()
    begun(recorded, world, place)
    again = asked(recorded, key="twice")
    assert recorded.get(again).json()["rows"] == 3


def test_a_batch_whose_rows_were_sent_compares_nothing(recorded: TestClient) -> None:
    lines = {"Content-Type": "application/x-ndjson"}
    reply = recorded.post(
        "/v1/programs/triage/batches", content='{"message": "Hi."}\n', headers=lines
    )
    refused = recorded.get(f"{BATCHES}/{reply.json()['id']}/comparison")
    assert (refused.status_code, refused.json()["code"]) == (409, "batch.varies_nothing")
    assert recorded.get(f"{BATCHES}/{uuid4()}/comparison").status_code == 404


def test_it_is_called_off_without_a_run(recorded: TestClient, world: ApiWorld) -> None:
    place = asked(recorded)
    world.work()
    assert recorded.post(f"{place}/cancel", json={"reason": "Too dear."}).status_code == 200
    world.work()
    assert recorded.get(place).json()["begun"] == 0
