"""The price book over HTTP, and what calls cost by it."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program
from tests.support.memory import NOW

RATES = {"input_usd": "1000", "output_usd": "1000"}


def run(api: TestClient) -> str:
    reply = api.post("/v1/programs/triage/execute", json={"inputs": {"message": "It crashes."}})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["execution_id"])


def price(api: TestClient, **body: object) -> None:
    reply = api.post("/v1/prices", json={"model": "scripted", "rates": RATES, **body})
    assert reply.status_code == 200, reply.text


@pytest.mark.feature("CST-02")
def test_cst_02_calls_are_billed_by_the_book_and_repriced_when_it_changes(
    api: TestClient, world: ApiWorld
) -> None:
    program = a_program(api)
    first = run(api)
    world.clock.advance(60)
    price(api)
    second = run(api)
    items = api.get("/v1/costs", params={"by": "run"}).json()["items"]
    told = {each["run_id"]: (each["billed_usd"], each["repriced_usd"]) for each in items}
    assert told == {first: ("0.002", None), second: ("0.014", "0.014")}
    price(api, valid_from=NOW.isoformat(), rates={**RATES, "output_usd": "0"})
    found = api.get("/v1/costs", params={"by": "program"}).json()
    assert [each["program_id"] for each in found["items"]] == [program]
    assert found["total"] == {
        "calls": 4,
        "billed_usd": "0.016",
        "billed_unpriced": 0,
        "billed_is_partial": False,
        "repriced_usd": "0.024",
        "repriced_unpriced": 0,
        "repriced_is_partial": False,
    }
    calls = api.get("/v1/lm-calls").json()["items"]
    assert {each["cost_usd"] for each in calls if each["run_id"] == second} == {"0.007000"}


@pytest.mark.feature("CST-05")
def test_cst_05_the_total_says_that_it_is_partial(api: TestClient) -> None:
    a_program(api)
    run(api)
    found = api.get("/v1/costs").json()
    assert found["total"]["repriced_usd"] is None
    assert (found["total"]["repriced_unpriced"], found["total"]["repriced_is_partial"]) == (2, True)
    assert [(each["model"], each["repriced_usd"]) for each in found["items"]] == [
        ("scripted", None)
    ]


def test_the_book_is_read_withdrawn_from_and_asked_of_the_past(api: TestClient) -> None:
    price(api, reason="By contract.")
    [row] = api.get("/v1/prices").json()["items"]
    assert (row["model"], row["input_usd"], row["reason"]) == ("scripted", "1000", "By contract.")
    later = (NOW + timedelta(days=1)).isoformat()
    reply = api.post("/v1/prices/withdraw", json={"model": "scripted", "valid_from": later})
    position = reply.json()["position"]
    rows = api.get("/v1/prices", params={"model": "scripted"}).json()["items"]
    assert [each["output_usd"] for each in rows] == [None, "1000"]
    before = api.get("/v1/prices", params={"as_of": position - 1}).json()["items"]
    assert [each["output_usd"] for each in before] == ["1000"]
    refused = api.post("/v1/prices/withdraw", json={"model": "openai/gpt"})
    assert (refused.status_code, refused.json()["code"]) == (404, "price.not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": "two words", "rates": RATES},
        {"model": "scripted", "rates": {"input_usd": "1"}},
        {"model": "scripted", "rates": {**RATES, "input_usd": "-1"}},
        {"model": "scripted", "rates": RATES, "valid_from": "2030-01-01T00:00:00"},
        {"model": "scripted", "rates": RATES, "valid_from": "1999-01-01T00:00:00Z"},
        {"model": "scripted", "rates": RATES, "more": 1},
    ],
)
def test_what_is_no_price_is_refused(api: TestClient, body: dict[str, object]) -> None:
    reply = api.post("/v1/prices", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid")


def test_other_tenants_see_nothing_of_it(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    price(api)
    run(api)
    with world.client("somebody-else") as other:
        assert other.get("/v1/prices").json()["items"] == []
        assert other.get("/v1/costs").json()["total"]["calls"] == 0
        missing = other.post("/v1/prices/withdraw", json={"model": "scripted"})
        assert missing.status_code == 404
