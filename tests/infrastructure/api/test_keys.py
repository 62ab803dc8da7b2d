"""Keys over HTTP: issued and shown once, listed without their text, revoked for good."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from domain.access.text import digest_of, read
from domain.access.values import Role
from tests.support.api import ApiWorld
from tests.support.keyed import asking, bearer, key_of

pytestmark = pytest.mark.postgres

WISH = {"name": "ci", "roles": ["ml_user", "viewer"], "expires_in_days": 30}


def issued(api: TestClient, **more: Any) -> dict[str, Any]:
    reply = api.post("/v1/keys", json=WISH | more)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def test_a_key_is_issued_shown_once_and_opens_its_tenant(world: ApiWorld) -> None:
    tenant = f"t-{uuid4().hex}"
    with asking(world, key_of(world, Role.ADMIN, tenant=tenant, name="ann")) as api:
        made = issued(api)
        named = read(made["key"])
        assert named is not None
        assert (named.tenant, str(named.key_id)) == (tenant, made["id"])
        assert api.get("/v1/programs", headers=bearer(made["key"])).status_code == 200
        assert api.post("/v1/datasets", json={"name": "d"}, headers=bearer(made["key"])).json()[
            "code"
        ] == ("permission.missing")
        row, _ = api.get("/v1/keys").json()["items"]
        shown = api.get(f"/v1/keys/{made['id']}")
        told = api.get(f"/v1/keys/{made['id']}/history").text + api.get("/v1/audit").text
    assert shown.json() == row
    assert (row["name"], row["roles"], row["created_by"]) == ("ci", ["ml_user", "viewer"], "ann")
    assert row["revoked_at"] is None
    secret = made["key"][-72:]
    for text in (shown.text, told, *(each.event.model_dump_json() for each in world.log.recorded)):
        assert secret not in text
    assert digest_of(made["key"]) not in shown.text


def test_a_request_that_is_repeated_issues_no_second_key(api: TestClient, world: ApiWorld) -> None:
    once = {"Idempotency-Key": "k"}
    first = api.post("/v1/keys", json=WISH, headers=once)
    events = len(world.log.recorded)
    again = api.post("/v1/keys", json=WISH, headers=once)
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["code"] == "api_key.shown"
    assert first.json()["id"] in again.json()["detail"]
    assert len(world.log.recorded) == events
    other = api.post("/v1/keys", json=WISH | {"name": "cd"}, headers=once)
    assert other.json()["code"] == "idempotency_key.reused"


def test_a_key_is_followed_by_another_of_its_name_before_it_is_revoked(world: ApiWorld) -> None:
    tenant = f"t-{uuid4().hex}"
    with asking(world, key_of(world, Role.ADMIN, tenant=tenant)) as api:
        old, new = issued(api), issued(api)
        for each in (old, new):
            assert api.get("/v1/programs", headers=bearer(each["key"])).status_code == 200
        done = api.post(f"/v1/keys/{old['id']}/revoke", json={"reason": "Its turn."})
        assert done.status_code == 200
        found = {
            each["id"]: api.get("/v1/programs", headers=bearer(each["key"])) for each in (old, new)
        }
        listed = [
            [row["api_key_id"] for row in api.get("/v1/keys", params=query).json()["items"]]
            for query in ({"name": "ci"}, {"revoked": "true"})
        ]
        row = api.get(f"/v1/keys/{old['id']}").json()
    assert [reply.status_code for reply in found.values()] == [401, 200]
    assert listed == [[new["id"]], [old["id"]]]
    assert row["revoked_because"] == "Its turn."


def test_a_key_of_another_tenant_is_not_there(world: ApiWorld) -> None:
    with world.client(f"t-{uuid4().hex}") as mine:
        made = issued(mine)
    with world.client(f"t-{uuid4().hex}") as theirs:
        for reply in (
            theirs.get(f"/v1/keys/{made['id']}"),
            theirs.post(f"/v1/keys/{made['id']}/revoke", json={}),
        ):
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert theirs.get("/v1/keys").json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"roles": []},
        {"roles": ["root"]},
        {"expires_in_days": 366},
        {"name": "a b"},
        {"digest": "0" * 64},
        {"key_id": "0197b3a0-5f6e-7c4e-9d56-0d6a3a3b9c11"},
    ],
    ids=str,
)
def test_a_key_that_cannot_be_is_refused(api: TestClient, wrong: dict[str, Any]) -> None:
    reply = api.post("/v1/keys", json=WISH | wrong)
    assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid")
