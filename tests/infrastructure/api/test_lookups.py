"""Programs and versions by what they are to somebody: the latest, the one in production."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from application.context import Context
from application.programs import ArchiveProgram
from tests.support.access import EVERY_ROLE
from tests.support.api import ApiWorld, a_dataset, a_program


@pytest.mark.feature("PRG-22")
def test_prg_22_the_latest_program_of_a_name_is_found(api: TestClient, world: ApiWorld) -> None:
    first, second = UUID(a_program(api, "triage")), a_program(api, "other")
    world.clock.advance(1)
    api.post("/v1/programs/triage/testing", json={})
    latest = "/v1/programs?order=updated&limit=1"
    (row,) = api.get(latest).json()["items"]
    assert row["program_id"] == str(first)
    page = api.get(latest).json()
    (row,) = api.get(f"{latest}&cursor={page['next']}").json()["items"]
    assert row["program_id"] == second
    assert api.get(f"{latest}&name=other").json()["items"] == [row]
    context = Context(
        tenant=api.headers["X-Stratal-Tenant"],
        actor="ann",
        correlation_id=UUID(int=1),
        roles=EVERY_ROLE,
    )
    world.dispatch(ArchiveProgram(program_id=first), context)
    assert api.get(latest).json()["items"] == [row]
    assert api.get(f"{latest}&name=triage").json()["items"] == []


def test_a_cursor_of_another_order_is_refused(api: TestClient) -> None:
    for name in ("one", "two"):
        a_program(api, name)
    cursor = api.get("/v1/programs?limit=1").json()["next"]
    reply = api.get(f"/v1/programs?order=updated&cursor={cursor}")
    assert (reply.status_code, reply.json()["code"]) == (422, "page.cursor_invalid")


@pytest.mark.feature("PRG-22")
def test_prg_22_the_version_in_production_is_found_by_the_name_of_the_program(
    api: TestClient, world: ApiWorld
) -> None:
    a_program(api, "triage")
    a_dataset(api, "tickets")
    versions = "/v1/programs/triage/versions"
    nothing = api.get(f"{versions}/production")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "program.not_deployed")
    api.post("/v1/programs/triage/testing", json={})
    api.post("/v1/programs/triage/deploy", json={})
    api.post("/v1/programs/triage/compile", json={"dataset": "tickets", "metric": "exact_match"})
    world.work()
    listed = {row["program_version"]: row for row in api.get(versions).json()["items"]}
    assert listed.keys() == {1, 2}
    for wanted, number in (("production", 1), ("latest", 2), ("1", 1), ("2", 2)):
        assert api.get(f"{versions}/{wanted}").json() == listed[number]


@pytest.mark.parametrize(
    ("program", "wanted", "status", "code"),
    [
        ("triage", "2", 404, "program.version_not_found"),
        ("nobody", "latest", 404, "not_found"),
        (str(UUID(int=7)), "1", 404, "not_found"),
        ("triage", "0", 422, "request.invalid"),
        ("triage", "staging", 422, "request.invalid"),
    ],
)
def test_a_version_that_is_not_there_is_refused(
    api: TestClient, program: str, wanted: str, status: int, code: str
) -> None:
    a_program(api, "triage")
    reply = api.get(f"/v1/programs/{program}/versions/{wanted}")
    assert (reply.status_code, reply.json()["code"]) == (status, code)


@pytest.mark.feature("PRG-11")
def test_prg_11_who_prefers_to_wait_gets_the_answer(api: TestClient, world: ApiWorld) -> None:
    a_program(api, "triage")
    body = {"inputs": {"message": "Hi."}}
    for headers in ({"Prefer": "wait=5"}, {"Prefer": "respond-async, wait=5"}):
        reply = api.post("/v1/programs/triage/execute", json=body, headers=headers)
        assert (reply.status_code, reply.json()["status"]) == (200, "completed")
