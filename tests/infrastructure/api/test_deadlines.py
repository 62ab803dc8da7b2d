"""Deadlines over HTTP: what is usual, what a request or a program says, and the 504."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program
from tests.support.memory import FixedClock

INPUTS = {"inputs": {"message": "It crashes."}}
EXECUTE = "/v1/programs/triage/execute"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> ApiWorld:
    """A world without read models, in which time goes on."""
    monkeypatch.setattr(FixedClock, "now", lambda _: datetime.now(UTC))
    return ApiWorld()


@pytest.fixture
def api(world: ApiWorld) -> Iterator[TestClient]:
    with world.client() as client:
        a_program(client)
        yield client


def given_s(api: TestClient, query: str = "", **body: object) -> float | None:
    view = api.post(EXECUTE + query, json=INPUTS | body).json()
    if view["deadline"] is None:
        return None
    asked, due = (datetime.fromisoformat(view[each]) for each in ("requested_at", "deadline"))
    return round((due - asked).total_seconds(), 3)


@pytest.mark.feature("BRG-08")
def test_brg_08_who_waits_and_says_no_more_waits_30_s_at_most(api: TestClient) -> None:
    assert given_s(api) == 30
    assert given_s(api, deadline_s=7) == 7
    assert given_s(api, "?wait=5") is None
    assert given_s(api, wait=0) is None
    assert given_s(api, wait=0, deadline_s=2.5) == 2.5


@pytest.mark.feature("BRG-08")
def test_brg_08_a_program_may_say_how_long_it_takes(api: TestClient) -> None:
    reply = api.post("/v1/programs/triage/configure", json={"config": {"deadline_s": 120}})
    assert reply.status_code == 200, reply.text
    assert given_s(api) == given_s(api, wait=0) == 120
    assert given_s(api, deadline_s=7) == 7
    refused = api.post("/v1/programs/triage/configure", json={"config": {"deadline_s": "long"}})
    assert refused.status_code == 422
    [fault] = refused.json()["faults"]
    assert (fault["pointer"], fault["code"]) == ("/config/deadline_s", "program.deadline")


@pytest.mark.feature("BRG-08")
@pytest.mark.parametrize("body", [{}, {"wait": 60, "deadline_s": 0.3}])
def test_brg_08_at_the_deadline_the_caller_gets_504_and_the_place_of_the_execution(
    world: ApiWorld, api: TestClient, body: dict[str, float]
) -> None:
    world.has_worker = False
    with world.client(deadline_s=0.3) as impatient:
        reply = impatient.post(EXECUTE, json=INPUTS | body, headers={"Idempotency-Key": "k1"})
        again = impatient.post(EXECUTE, json=INPUTS | body, headers={"Idempotency-Key": "k1"})
    for each in (reply, again):
        assert each.status_code == 504
        assert each.headers["Content-Type"] == "application/problem+json"
        assert each.json()["code"] == "execution.timed_out"
        assert each.headers["Location"] in each.json()["detail"]
    assert reply.headers["Location"] == again.headers["Location"]
    view = api.get(reply.headers["Location"]).json()
    assert (view["status"], view["failure"]["code"]) == ("failed", "execution.timed_out")
    world.work()  # a worker that comes to it now has nothing to do
    assert api.get(reply.headers["Location"]).json()["version"] == view["version"]


def test_who_waits_less_than_the_deadline_gets_202(world: ApiWorld, api: TestClient) -> None:
    world.has_worker = False
    reply = api.post(EXECUTE, json=INPUTS | {"wait": 0.1, "deadline_s": 60})
    assert (reply.status_code, reply.json()["status"]) == (202, "pending")
