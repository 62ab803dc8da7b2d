"""What programs cost in the last 30 days, over HTTP."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program


def names(api: TestClient, **query: object) -> list[str]:
    reply = api.get("/v1/programs", params={key: str(value) for key, value in query.items()})
    assert reply.status_code == 200, reply.text
    return [each["name"] for each in reply.json()["items"]]


@pytest.mark.feature("CST-01")
def test_cst_01_programs_are_sorted_and_chosen_by_their_monthly_cost(
    api: TestClient, world: ApiWorld
) -> None:
    for name, days_ago in (("idle", 40), ("cheap", 29), ("dear", 29), ("dear", 1)):
        world.clock.at = datetime.now(UTC) - timedelta(days=days_ago)
        if days_ago > 1:
            a_program(api, name)
        api.post(f"/v1/programs/{name}/execute", json={"inputs": {"message": "It crashes."}})
    assert names(api, order="monthly_cost") == ["dear", "cheap", "idle"]
    assert names(api, order="monthly_cost", min_monthly_cost_usd="0.002") == ["dear", "cheap"]
    assert names(api, min_monthly_cost_usd="0.004") == ["dear"]
    assert names(api) == ["dear", "cheap", "idle"]
    first = api.get("/v1/programs", params={"order": "monthly_cost", "limit": 1}).json()
    again = {"order": "monthly_cost", "limit": 1, "cursor": first["next"]}
    assert [each["name"] for each in api.get("/v1/programs", params=again).json()["items"]] == [
        "cheap"
    ]
    assert {each["monthly_cost"] for each in api.get("/v1/programs").json()["items"]} == {None}
    told = api.get("/v1/programs", params={"monthly_cost": "true"}).json()["items"]
    assert {each["name"]: each["monthly_cost"] for each in told} == {
        "dear": {"usd": "0.004", "calls": 4, "unpriced": 0, "is_partial": False},
        "cheap": {"usd": "0.002", "calls": 2, "unpriced": 0, "is_partial": False},
        "idle": {"usd": "0", "calls": 0, "unpriced": 0, "is_partial": False},
    }
    one = api.get("/v1/programs/dear", params={"monthly_cost": "true"}).json()
    assert one in told
    assert api.get("/v1/programs/dear").json() == {**one, "monthly_cost": None}


def test_the_month_before_a_time_is_asked_about(api: TestClient, world: ApiWorld) -> None:
    world.clock.at = called = datetime.now(UTC) - timedelta(hours=12)
    a_program(api)
    api.post("/v1/programs/triage/execute", json={"inputs": {"message": "It crashes."}})
    world.clock.at = called + timedelta(days=40)
    a_program(api, "another")

    def calls(as_of: datetime) -> int:
        query = {"monthly_cost": "true", "name": "triage", "as_of": as_of.isoformat()}
        [item] = api.get("/v1/programs", params=query).json()["items"]
        return int(item["monthly_cost"]["calls"])

    assert calls(called + timedelta(days=29)) == 2
    assert calls(called + timedelta(days=31)) == 0
