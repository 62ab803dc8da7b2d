"""Budgets over HTTP: opened, granted to, spent, closed."""

from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program

RUN = {"inputs": {"message": "It crashes."}}


def opened(api: TestClient, **more: object) -> str:
    reply = api.post("/v1/budgets", json={"hold_usd": "0.5", **more})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


@pytest.mark.feature("CRD-02")
def test_crd_02_a_run_beyond_its_budget_is_answered_402_and_calls_nothing(
    api: TestClient, world: ApiWorld
) -> None:
    a_program(api)
    budget = opened(api, alert_below_usd="0.25")
    before = len(world.log.recorded)
    refused = api.post("/v1/programs/triage/execute", json=RUN)
    assert (refused.status_code, refused.json()["code"]) == (402, "budget.spent")
    assert "has 0 USD left, and a run sets 0.5 aside" in refused.json()["detail"]
    assert len(world.log.recorded) == before
    api.post(f"/v1/budgets/{budget}/grant", json={"usd": "0.5", "reason": "For June."})
    assert api.post("/v1/programs/triage/execute", json=RUN).status_code == 200
    found = api.get(f"/v1/budgets/{budget}").json()
    sums = {name: Decimal(found[f"{name}_usd"]) for name in ("granted", "held", "charged", "left")}
    assert sums["held"] == 0
    assert sums["left"] == sums["granted"] - sums["charged"] < sums["granted"]
    told = [item["topic"] for item in api.get("/v1/audit?topic=budget.*").json()["items"]]
    assert sorted(told) == ["budget.granted", "budget.opened"]


def test_a_budget_is_changed_listed_and_closed(api: TestClient) -> None:
    program = a_program(api)
    cover = {"kind": "program", "of": program}
    budget, other = opened(api, cover=cover), opened(api)
    assert api.post(f"/v1/budgets/{budget}/revise", json={"hold_usd": "2"}).status_code == 200
    api.post(f"/v1/budgets/{other}/close", json={"reason": "Done."})
    items = {each["budget_id"]: each for each in api.get("/v1/budgets").json()["items"]}
    assert (items[budget]["hold_usd"], items[budget]["cover"]["of"]) == ("2", program)
    assert items[other]["closed_at"]
    refused = api.post(f"/v1/budgets/{other}/grant", json={"usd": "1"})
    assert (refused.status_code, refused.json()["code"]) == (409, "budget.closed")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"hold_usd": "0"},
        {"hold_usd": "-1"},
        {"hold_usd": "NaN"},
        {"hold_usd": "0.0000000001"},
        {"hold_usd": "1", "cover": {"kind": "actor"}},
        {"hold_usd": "1", "more": 1},
    ],
)
def test_what_is_no_budget_is_refused(api: TestClient, body: dict[str, object]) -> None:
    reply = api.post("/v1/budgets", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid")


def test_other_tenants_see_nothing_of_it(api: TestClient, world: ApiWorld) -> None:
    budget = opened(api)
    with world.client("somebody-else") as other:
        assert other.get(f"/v1/budgets/{budget}").status_code == 404
        assert budget not in other.get("/v1/budgets").text
