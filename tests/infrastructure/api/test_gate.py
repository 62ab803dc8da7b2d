"""Where access is by keys nobody is believed but the key: who asks, as what, and until when."""

import threading
import time
import urllib.request
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4
from zlib import crc32

import pytest
from fastapi.testclient import TestClient

from application.auditing import Attempt
from application.errors import StoreIsUnavailable
from domain.access.text import read
from domain.access.values import Role
from infrastructure.api.keyring import FRESH_S, Keyring
from tests.support.access import EVERY_ROLE
from tests.support.api import SYNTAX, ApiWorld, a_program
from tests.support.keyed import As, asking, bearer, key_of, keyring
from tests.support.sse import serving

pytestmark = pytest.mark.postgres

BODY = {"name": "route", "syntax": SYNTAX}
OPEN = {"/healthz", "/readyz", "/docs", "/problems/{code}"}


def a_tenant() -> str:
    return f"t-{uuid4().hex}"


def swapped(key: str, *, tenant: str | None = None, secret: str | None = None) -> str:
    """*key* as somebody would forge it who knows how keys are made."""
    head, mine, rest = key[:-8].split("_", 1)[0], key[:-8].split("_")[1], key[:-8].split("_")[2:]
    body = "_".join([head, tenant or mine, rest[0], secret or rest[1]])
    return body + f"{crc32(body.encode()):08x}"


def revoke(world: ApiWorld, key: str) -> None:
    named = read(key)
    assert named is not None
    with asking(world, key_of(world, Role.ADMIN, tenant=named.tenant)) as admin:
        reply = admin.post(f"/v1/keys/{named.key_id}/revoke", json={})
    assert reply.status_code == 200, reply.text


@pytest.fixture
def tried(world: ApiWorld) -> list[Attempt]:
    world.attempts.noted.clear()
    return world.attempts.noted


OF_ROWS = {("POST", "/v1/programs/{program}/batches")}
"""Routes that take no JSON; what is no text of rows gets no further than the guard."""


def refused_of(world: ApiWorld, key: str | None, **changes: Any) -> tuple[int, str]:
    with asking(world, key, **changes) as api:
        reply = api.get("/v1/programs")
    if reply.status_code == 401:
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    return reply.status_code, reply.json().get("code", "")


@pytest.fixture(scope="module")
def routes(world: ApiWorld) -> list[tuple[str, str]]:
    """Every route, and two that the document does not show."""
    paths = world.app().openapi()["paths"]
    found = [(method.upper(), path) for path, of in paths.items() for method in of]
    return [*found, ("GET", "/docs"), ("GET", "/openapi.json")]


def test_without_a_key_only_what_tells_nothing_of_anybody_is_answered(
    world: ApiWorld, routes: list[tuple[str, str]]
) -> None:
    with asking(world) as api:
        replies = {each: api.request(*each, json={}) for each in routes}
        assert api.get("/v1/programs").json()["code"] == "key.missing"
        assert api.get("/nothing/here").status_code == 401
    assert {path for (_, path), reply in replies.items() if reply.status_code != 401} == OPEN
    assert len(routes) > 80


def test_every_route_needs_a_permission_before_anything_of_a_request_is_looked_at(
    world: ApiWorld, routes: list[tuple[str, str]]
) -> None:
    """A-13 for questions: to read is what a route needs that is not named here."""
    rows = {"content": b"{}", "headers": {"Content-Type": "application/x-ndjson"}}
    with TestClient(world.app(callers=As(frozenset()))) as api:
        replies = {
            each: api.request(*each, **rows if each in OF_ROWS else {"json": {}}) for each in routes
        }
    assert {path for (_, path), reply in replies.items() if reply.status_code != 403} == OPEN
    needs: dict[str, set[str]] = {}
    for (_, path), reply in replies.items():
        if path not in OPEN:
            permission = reply.json()["detail"].split("the permission ")[1].split(",")[0]
            needs.setdefault(permission, set()).add(path)
    assert needs.pop("read") >= {"/v1/programs", "/v1/executions/{execution_id}", "/openapi.json"}
    assert needs.pop("audit.read") == {
        "/v1/audit",
        "/v1/audit/attempts",
        "/v1/audit/export",
        "/v1/events",
        "/v1/events/{position}/proof",
        "/v1/checkpoints",
        "/v1/checkpoints/{size}",
        "/v1/checkpoints/{old}/consistency/{new}",
    }
    assert {
        permission: {path.split("/")[2] for path in of} for permission, of in needs.items()
    } == {
        "key.manage": {"keys"},
        "webhook.manage": {"webhooks"},
    }


def test_a_key_says_who_asks_and_headers_do_not(world: ApiWorld) -> None:
    mine, theirs = a_tenant(), a_tenant()
    key = key_of(world, Role.ADMIN, tenant=mine, name="ann")
    forged = {"X-Stratal-Tenant": theirs, "X-Stratal-Actor": "root"}
    with asking(world, key) as api:
        made = api.post("/v1/signatures", json=BODY, headers=forged)
        assert made.status_code == 201, made.text
        [seen] = api.get("/v1/signatures", headers=forged).json()["items"]
    assert seen["created_by"] == "ann"
    assert world.log.recorded[-1].envelope.tenant == mine
    with asking(world, key_of(world, Role.VIEWER, tenant=theirs)) as api:
        assert api.get("/v1/signatures").json()["items"] == []
        assert api.get(f"/v1/signatures/{made.json()['id']}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        BODY | {"role": "admin"},
        BODY | {"roles": ["admin"]},
        BODY | {"tenant": "other"},
        BODY | {"actor": "root"},
    ],
    ids=["role", "roles", "tenant", "actor"],
)
def test_no_body_gives_anybody_a_role_or_another_tenant(
    world: ApiWorld, body: dict[str, object]
) -> None:
    """A-14: what no command has is refused, never taken."""
    before = len(world.log.recorded) + 1
    with asking(world, key_of(world, Role.ML_ENGINEER, tenant=a_tenant())) as api:
        reply = api.post("/v1/signatures", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid")
    assert len(world.log.recorded) == before


def test_nobody_but_an_admin_gives_keys_and_nobody_gives_a_workers(world: ApiWorld) -> None:
    """A-14: no key can make one that may more than its own."""
    tenant = a_tenant()
    wish = {"name": "ann", "roles": ["admin"]}
    asker = As(frozenset(), tenant)
    with TestClient(world.app(callers=asker)) as api:
        for role in set(Role) - {Role.ADMIN}:
            asker.roles = frozenset({role})
            assert api.post("/v1/keys", json=wish).status_code == 403
            assert api.get("/v1/keys").status_code == 403
            assert api.get(f"/v1/keys/{UUID(int=7)}/history").status_code == 403
            assert api.get("/v1/webhooks/ops/history").status_code == 403
    with asking(world, key_of(world, Role.ADMIN, tenant=tenant)) as api:
        reply = api.post("/v1/keys", json=wish | {"roles": ["worker"]})
    assert (reply.status_code, reply.json()["code"]) == (422, "api_key.invalid")


def test_what_a_worker_does_cannot_be_asked_for(world: ApiWorld) -> None:
    """A-14: no route becomes a command of the service's own, whatever somebody may."""
    with TestClient(world.app(callers=As(EVERY_ROLE - {Role.WORKER}))) as api:
        for path in ("run", "adopt", "start"):
            reply = api.post(f"/v1/optimizations/{uuid4()}/{path}", json={})
            assert (reply.status_code, reply.json()["code"]) == (404, "route.unknown")


@pytest.mark.parametrize("slip", [0, 7, 30, 64, -8, -1])
def test_a_part_of_a_key_is_refused(world: ApiWorld, slip: int) -> None:
    key = key_of(world, Role.ADMIN)
    for wrong in (key[:slip], key[slip:][1:]):
        code = "key.missing" if not wrong else "key.malformed"
        assert refused_of(world, wrong) == (401, code)


def test_a_key_of_another_kind_is_refused(world: ApiWorld) -> None:
    with asking(world) as api:
        for sent in ("Basic YW5uOnNlY3JldA==", "Bearer sk-abcdefghijkl", "stratal_x", "Bearer"):
            reply = api.get("/v1/programs", headers={"Authorization": sent})
            assert (reply.status_code, reply.json()["code"]) == (401, "key.malformed")
            assert sent not in reply.text


def test_a_key_opens_no_other_tenant_however_it_is_written(world: ApiWorld) -> None:
    mine, theirs = a_tenant(), a_tenant()
    key, other = key_of(world, Role.ADMIN, tenant=mine), key_of(world, Role.ADMIN, tenant=theirs)
    named = read(other)
    assert named is not None
    secret = key[:-8].split("_")[3]
    for forged in (
        swapped(key, tenant=theirs),
        swapped(key, secret="0" * 64),
        swapped(other, secret=secret),
    ):
        assert read(forged) is not None
        assert refused_of(world, forged) == (401, "key.unknown")


def test_the_id_of_another_thing_is_no_key(world: ApiWorld) -> None:
    tenant = a_tenant()
    with world.client(tenant) as api:
        program = UUID(a_program(api))
    key = key_of(world, Role.ADMIN, tenant=tenant)
    named = read(key)
    assert named is not None
    body = key[:-8].replace(named.key_id.hex, program.hex)
    assert refused_of(world, swapped(body + "0" * 8)) == (401, "key.unknown")


def test_an_expired_key_is_refused(world: ApiWorld) -> None:
    key = key_of(world, Role.VIEWER, tenant=a_tenant(), days=1)
    assert refused_of(world, key)[0] == 200
    late = keyring(world, ahead=timedelta(days=1))
    assert refused_of(world, key, callers=late) == (401, "key.expired")


def test_a_revoked_key_is_refused_and_what_was_tried_with_it_is_noted(
    world: ApiWorld, tried: list[Attempt]
) -> None:
    tenant = a_tenant()
    key = key_of(world, Role.ADMIN, tenant=tenant, name="bob")
    revoke(world, key)
    tried.clear()
    with asking(world, key) as api:
        reply = api.post("/v1/signatures", json=BODY)
    assert (reply.status_code, reply.json()["code"]) == (401, "key.revoked")
    [noted] = tried
    assert (noted.tenant, noted.actor, noted.code) == (tenant, "bob", "key.revoked")
    assert key[-80:] not in noted.reason


def test_a_flood_of_forged_keys_is_noted_for_no_tenant(
    world: ApiWorld, tried: list[Attempt]
) -> None:
    key = key_of(world, Role.ADMIN)
    with asking(world, swapped(key, secret="0" * 64)) as api:
        assert api.post("/v1/signatures", json=BODY).status_code == 401
    assert tried == []


def test_a_key_is_read_from_the_log_once_in_a_while_not_once_a_request(world: ApiWorld) -> None:
    key = key_of(world, Role.VIEWER, tenant=a_tenant())
    asked: list[UUID] = []

    def history(id: UUID) -> Any:
        asked.append(id)
        return world.log.stream(id)

    with asking(world, key, callers=Keyring(history, world.clock.now, fresh_s=60)) as api:
        for _ in range(5):
            assert api.get("/v1/programs").status_code == 200
        unknown = bearer(swapped(key, secret="0" * 64))
        assert api.get("/v1/programs", headers=unknown).status_code == 401
    assert len(asked) == 1


def test_a_forged_text_with_the_id_of_a_key_shuts_nobody_out(world: ApiWorld) -> None:
    """Ids of keys are no secret: somebody may send one as another tenant's, again and again."""
    key = key_of(world, Role.VIEWER, tenant=a_tenant())
    ring = keyring(world, fresh_s=60)
    assert refused_of(world, swapped(key, tenant=a_tenant()), callers=ring) == (401, "key.unknown")
    assert refused_of(world, key, callers=ring)[0] == 200


def test_a_revoked_key_is_refused_within_five_seconds_in_every_process(world: ApiWorld) -> None:
    """Each process has a keyring of its own, as it has where several serve one log."""
    key = key_of(world, Role.VIEWER, tenant=a_tenant())
    rings = [Keyring(world.log.stream, world.clock.now) for _ in range(2)]
    with asking(world, key, callers=rings[0]) as one, asking(world, key, callers=rings[1]) as two:
        assert [each.get("/v1/programs").status_code for each in (one, two)] == [200, 200]
        revoke(world, key)
        deadline_s = time.monotonic() + 5
        while {each.get("/v1/programs").status_code for each in (one, two)} != {401}:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
    assert FRESH_S < 5


def test_a_keyring_that_cannot_read_lets_nobody_in(world: ApiWorld) -> None:
    def away(id: UUID) -> Any:
        raise StoreIsUnavailable("it does not answer")

    ring = Keyring(away, world.clock.now)
    assert refused_of(world, key_of(world, Role.VIEWER), callers=ring) == (503, "store.unavailable")


def test_a_stream_ends_in_order_where_its_key_cannot_be_looked_up_any_more(
    world: ApiWorld,
) -> None:
    key, away = key_of(world, Role.AUDITOR, tenant=a_tenant()), threading.Event()

    def history(id: UUID) -> Any:
        if away.is_set():
            raise StoreIsUnavailable("it does not answer")
        return world.log.stream(id)

    ring = Keyring(history, world.clock.now, fresh_s=0)
    with serving(world.app(callers=ring)) as at:
        asked = urllib.request.Request(
            f"{at.url}/v1/events", headers=bearer(key) | {"Accept": "text/event-stream"}
        )
        with urllib.request.urlopen(asked, timeout=30) as stream:
            assert stream.readline().startswith(b"retry:")
            away.set()
            stream.read()  # it would be cut off in the middle, and raise


def test_where_access_is_open_all_is_as_the_headers_say(api: TestClient, world: ApiWorld) -> None:
    made = api.post("/v1/signatures", json=BODY, headers={"X-Stratal-Actor": "bob"})
    assert made.status_code == 201
    assert world.log.recorded[-1].envelope.actor == "bob"
    key = key_of(world, Role.VIEWER, tenant=a_tenant())
    assert api.post("/v1/programs/none/retire", json={}, headers=bearer(key)).status_code == 404


def test_a_stream_ends_once_its_key_is_revoked(world: ApiWorld) -> None:
    key = key_of(world, Role.AUDITOR, tenant=a_tenant())
    with serving(world.app(callers=keyring(world))) as at:
        asked = urllib.request.Request(
            f"{at.url}/v1/events", headers=bearer(key) | {"Accept": "text/event-stream"}
        )
        with urllib.request.urlopen(asked, timeout=30) as stream:
            assert stream.readline().startswith(b"retry:")
            revoke(world, key)
            assert b"api_key.revoked" not in stream.read()
