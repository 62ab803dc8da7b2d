"""Questions about the past over HTTP."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.errors import AsOfIsBusy, AsOfIsTooCostly
from tests.support.api import ApiWorld, a_dataset, a_program
from tests.support.memory import NOW
from tests.support.memory_past import MemoryPast

pytestmark = pytest.mark.postgres


@pytest.mark.feature("AUD-02")
def test_aud_02_a_program_is_shown_as_it_was(api: TestClient) -> None:
    program = a_program(api)
    created = api.get(f"/v1/programs/{program}")
    deployed = api.post(f"/v1/programs/{program}/testing")
    deployed = api.post(f"/v1/programs/{program}/deploy", json={"reason": "It is the first."})
    now = api.get(f"/v1/programs/{program}").json()
    assert (created.json()["stage"], now["stage"]) == ("draft", "production")
    position = deployed.json()["position"]
    for as_of, expected in ((position, now), (position - 2, created.json())):
        then = api.get(f"/v1/programs/{program}", params={"as_of": as_of})
        assert then.json() == expected
        assert then.headers["X-Stratal-Position"] == str(as_of)
        assert then.headers["ETag"] == f'"{expected["version"]}"'
        (listed,) = api.get("/v1/programs", params={"as_of": as_of}).json()["items"]
        assert listed == expected
    (version,) = _items(api, f"/v1/programs/{program}/versions", as_of=position - 1)
    assert version["deployments"] == []
    (version,) = _items(api, "/v1/programs/triage/versions", as_of=position)
    assert [each["reason"] for each in version["deployments"]] == ["It is the first."]


@pytest.mark.feature("AUD-02")
@pytest.mark.parametrize(
    "path",
    [
        "/v1/programs/{program}",
        "/v1/programs/{program}/versions",
        "/v1/datasets/{dataset}",
        "/v1/datasets/{dataset}/statistics",
        "/v1/executions/{execution}",
        "/v1/executions/{execution}/trace",
    ],
)
def test_aud_02_what_was_not_there_yet_is_not_found(api: TestClient, path: str) -> None:
    before = api.post("/v1/datasets", json={"name": "first"}).json()["position"]
    program, dataset = a_program(api), a_dataset(api)
    run = api.post(f"/v1/programs/{program}/execute", json={"inputs": {"message": "Help!"}}).json()
    there = path.format(program=program, dataset=dataset, execution=run["execution_id"])
    assert api.get(there).status_code == 200
    missing = api.get(there, params={"as_of": before})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


@pytest.mark.feature("AUD-02")
def test_aud_02_an_execution_is_the_fold_of_its_first_events(api: TestClient) -> None:
    program = a_program(api)
    run = api.post(f"/v1/programs/{program}/execute", json={"inputs": {"message": "Help!"}}).json()
    path = f"/v1/executions/{run['execution_id']}"
    first, last = api.get(path).json()["position"] - run["version"] + 1, run["position"]
    states = [api.get(path, params={"as_of": at}).json() for at in range(first, last + 1)]
    assert [state["version"] for state in states] == [*range(1, run["version"] + 1)]
    assert [state["status"] for state in states][:2] == ["pending", "running"]
    assert states[-1] == api.get(path).json()
    traces = [_items(api, f"{path}/trace", as_of=at) for at in range(first, last + 1)]
    assert [len(trace) for trace in traces] == [0, 0, 1, 2, 2]


def test_a_dataset_has_the_rows_that_it_had(api: TestClient) -> None:
    dataset = a_dataset(api)
    row = api.get(f"/v1/datasets/{dataset}").json()
    before = api.get(f"/v1/datasets/{dataset}", params={"as_of": row["position"] + 1}).json()
    assert (before["size"], row["size"]) == (2, 4)
    path = f"/v1/datasets/{dataset}/statistics"
    assert api.get(path).json()["size"] == 4
    assert api.get(path, params={"as_of": row["position"] + 1}).json()["size"] == 2


def test_a_time_means_the_last_position_up_to_it(world: ApiWorld, api: TestClient) -> None:
    world.clock.at = NOW + timedelta(days=1)
    a_program(api, "early")
    world.clock.advance(60)
    a_program(api, "late")
    for since_s, names in ((-1, []), (0, ["early"]), (59.999, ["early"]), (60, ["late", "early"])):
        at = NOW + timedelta(days=1, seconds=since_s)
        listed = api.get("/v1/programs", params={"as_of": at.isoformat()})
        assert [each["name"] for each in listed.json()["items"]] == names
        zulu = at.isoformat().replace("+00:00", "Z")
        assert api.get("/v1/programs", params={"as_of": zulu}).json() == listed.json()
        position = listed.headers["X-Stratal-Position"]
        assert api.get("/v1/programs", params={"as_of": position}).json() == listed.json()


def test_what_is_appended_before_a_time_has_its_position_is_in_the_answer(
    world: ApiWorld,
) -> None:
    class Meanwhile(MemoryPast):
        def position(self, as_of: int | datetime) -> int:
            assert api.post(f"/v1/programs/{program}/testing").status_code == 200
            return super().position(as_of)

    with world.client(f"t-{uuid4().hex}") as api:
        program = a_program(api)
        with world.client(api.headers["X-Stratal-Tenant"], past=Meanwhile(world.log, None)) as then:
            path, as_of = f"/v1/programs/{program}/history", world.clock.now().isoformat()
            reply = then.get(path, params={"as_of": as_of})
    assert reply.headers["X-Stratal-Position"] == str(len(world.log.recorded))
    topics = [each["topic"] for each in reply.json()["items"]]
    assert topics == ["program.testing_started", "program.created"]


def test_pages_of_the_past_stay_in_it(api: TestClient) -> None:
    for name in "abc":
        a_program(api, name)
    then = api.get("/v1/programs").json()["items"][0]["position"]
    page = api.get("/v1/programs", params={"as_of": then, "limit": 2}).json()
    a_program(api, "d")
    rest = api.get("/v1/programs", params={"as_of": then, "limit": 2, "cursor": page["next"]})
    assert [each["name"] for each in page["items"] + rest.json()["items"]] == ["c", "b", "a"]


@pytest.mark.parametrize(
    "as_of",
    [
        "-1", "1.0", "1e3", "9223372036854775808", "99999999999999999999", "now", "", "null",
        "2026-11-20", "2026-11-20T09:30:00", "2026-11-20T09:30Z", "2026-02-30T09:30:00Z",
        "2026-11-20T09:30:00 01:00", "20261120T093000Z", "٣",
    ],
)  # fmt: skip
def test_what_is_neither_position_nor_time_is_refused(api: TestClient, as_of: str) -> None:
    refused = api.get("/v1/programs", params={"as_of": as_of})
    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")
    (fault,) = refused.json()["faults"]
    assert (fault["in"], fault["pointer"], fault["code"]) == ("query", "/as_of", "as_of.malformed")


def test_what_is_still_to_come_is_refused(world: ApiWorld, api: TestClient) -> None:
    a_program(api)
    head = len(world.log.recorded)
    for path in ("/v1/programs", "/v1/audit", "/v1/usage"):
        refused = api.get(path, params={"as_of": head + 1})
        assert (refused.status_code, refused.json()["code"]) == (422, "as_of.ahead")
        assert f"The log ends at position {head}" in refused.json()["detail"]


def test_at_least_is_of_no_matter_for_the_past(world: ApiWorld) -> None:
    def never(position: int, timeout_s: float) -> None:
        raise AssertionError(position, timeout_s)

    with world.client(f"t-{uuid4().hex}", wait_for=never) as api:
        a_program(api)
        position = api.get("/v1/programs").json()["items"][0]["position"]
        params = {"as_of": position, "at_least": position + 1_000_000}
        (found,) = api.get("/v1/programs", params=params).json()["items"]
        assert found["position"] == position


@pytest.mark.parametrize(
    ("error", "status"),
    [(AsOfIsBusy(2), 503), (AsOfIsTooCostly("executions", 7, 10.0), 422)],
)
def test_a_fold_that_cannot_be_is_told(world: ApiWorld, error: Exception, status: int) -> None:
    class Refusing:
        def position(self, as_of: object) -> int:
            return 7

        def at(self, tenant: str, position: int) -> None:
            raise error

    with world.client(past=Refusing()) as api:
        refused = api.get("/v1/executions", params={"as_of": 7})
        assert (refused.status_code, refused.json()["detail"]) == (status, str(error))
        assert ("Retry-After" in refused.headers) == (status == 503)


@pytest.mark.parametrize("parameter", ["as_of", "at_least"])
def test_all_read_models_have_a_past_and_can_be_waited_for(api: TestClient, parameter: str) -> None:
    operations = api.get("/openapi.json").json()["paths"]
    taken = {"$ref": f"#/components/parameters/{parameter}"}
    takes = {
        path
        for path, methods in operations.items()
        if taken in methods.get("get", {}).get("parameters", [])
    }
    about = {path for path in operations if path.startswith("/v1/") and "get" in operations[path]}
    assert about - takes == {
        "/v1/audit/attempts",
        "/v1/budgets",  # where money stands is a row that changes with the log, and is never behind
        "/v1/budgets/{budget_id}",
        "/v1/checkpoints",
        "/v1/checkpoints/{old}/consistency/{new}",
        "/v1/checkpoints/{size}",
        "/v1/events",
        "/v1/events/{position}/proof",
        "/v1/executions/{execution_id}/stream",
        "/v1/metrics",
        "/v1/optimizers",
    }


def _items(api: TestClient, path: str, **params: int) -> list[dict[str, Any]]:
    reply = api.get(path, params=params)
    assert reply.status_code == 200, reply.text
    return list(reply.json()["items"])
