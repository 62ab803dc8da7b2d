"""What every write promises: done once, on the state that was seen, for one tenant."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.errors import OutcomeIsUnknown, ProjectionIsLate, StoreIsUnavailable
from tests.support.api import SYNTAX, ApiWorld, a_program

BODY = {"name": "route", "syntax": SYNTAX}


def test_a_repeated_write_gets_the_same_answer_and_happens_once(
    api: TestClient, world: ApiWorld
) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = api.post("/v1/signatures", json=BODY, headers=key)
    events = len(world.log.recorded)
    second = api.post("/v1/signatures", json=BODY, headers=key)
    assert (second.status_code, second.json()) == (201, first.json())
    for name in ("ETag", "Location", "X-Stratal-Position"):
        assert second.headers[name] == first.headers[name]
    assert len(world.log.recorded) == events


def test_a_write_that_changes_nothing_has_no_position(api: TestClient) -> None:
    api.post("/v1/signatures", json=BODY)
    reply = api.post("/v1/signatures/route/revise", json={"syntax": SYNTAX})
    assert (reply.status_code, reply.json()["position"]) == (200, 0)
    assert "at_least" not in reply.headers["Location"]


def test_fifty_repeats_at_once_happen_once(api: TestClient, world: ApiWorld) -> None:
    before = len(world.log.recorded)

    def post(_: int) -> object:
        return api.post("/v1/signatures", json=BODY, headers={"Idempotency-Key": "k-1"}).json()

    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(post, range(50)))
    assert all(reply == replies[0] for reply in replies)
    assert len(world.log.recorded) == before + 1


def test_a_repeated_execution_waits_for_the_first_one(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    body, key = {"inputs": {"message": "Hi."}}, {"Idempotency-Key": "k-2"}
    first = api.post("/v1/programs/triage/execute", json=body, headers=key)
    made = len(world.runner.made)
    second = api.post("/v1/programs/triage/execute", json=body, headers=key)
    assert (second.status_code, second.json()) == (200, first.json())
    assert len(world.runner.made) == made


def test_a_key_used_for_another_body_is_refused(api: TestClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    api.post("/v1/signatures", json=BODY, headers=key)
    for body in (BODY | {"name": "other"}, BODY | {"syntax": "a -> b"}):
        reply = api.post("/v1/signatures", json=body, headers=key)
        assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_key.reused")
    reply = api.post("/v1/datasets", json={"name": "d"}, headers=key)
    assert reply.json()["code"] == "idempotency_key.reused"


def test_a_key_of_another_tenant_is_another_key(world: ApiWorld, api: TestClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    mine = api.post("/v1/signatures", json=BODY, headers=key).json()
    with world.client(f"t-{uuid4().hex}") as other:
        theirs = other.post("/v1/signatures", json=BODY, headers=key)
        assert theirs.status_code == 201
        assert theirs.json()["id"] != mine["id"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "schl\u00fcssel"])
def test_a_key_has_a_form(api: TestClient, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    reply = api.post("/v1/signatures", json=BODY, headers=headers)
    fault = reply.json()["faults"][0]
    assert (reply.status_code, fault["in"], fault["pointer"]) == (
        422,
        "header",
        "/Idempotency-Key",
    )


def test_a_write_on_a_stale_version_is_refused(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    etag = api.get("/v1/programs/triage").headers["ETag"]
    fresh = api.post("/v1/programs/triage/testing", headers={"If-Match": etag})
    assert fresh.status_code == 200
    events = len(world.log.recorded)
    stale = api.post("/v1/programs/triage/deploy", json={}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "version.stale")
    assert len(world.log.recorded) == events
    again = api.post(
        "/v1/programs/triage/deploy", json={}, headers={"If-Match": fresh.headers["ETag"]}
    )
    assert again.status_code == 200


def test_any_version_matches_a_star(api: TestClient) -> None:
    a_program(api)
    reply = api.post("/v1/programs/triage/testing", headers={"If-Match": "*"})
    assert reply.status_code == 200


@pytest.mark.parametrize("etag", ["1", 'W/"1"', '"0"', '"x"', '"1", "2"', '"' + "9" * 40 + '"'])
def test_what_was_never_an_etag_is_refused(api: TestClient, etag: str) -> None:
    a_program(api)
    reply = api.post("/v1/programs/triage/testing", headers={"If-Match": etag})
    assert (reply.status_code, reply.json()["code"]) == (400, "etag.malformed")


def test_tenants_do_not_see_each_other(api: TestClient, world: ApiWorld) -> None:
    program = a_program(api)
    execution = api.post("/v1/programs/triage/execute", json={"inputs": {"message": "Hi."}}).json()[
        "execution_id"
    ]
    with world.client(f"t-{uuid4().hex}") as other:
        for path in (
            f"/v1/programs/{program}",
            "/v1/programs/triage",
            f"/v1/programs/{program}/versions",
            f"/v1/executions/{execution}",
            f"/v1/executions/{execution}/trace",
        ):
            assert other.get(path).status_code == 404, path
        for path in ("/v1/programs", "/v1/executions", "/v1/audit", "/v1/events", "/v1/usage"):
            assert other.get(path).json()["items"] == [], path
        inputs = {"inputs": {"message": "Hi."}}
        assert other.post(f"/v1/programs/{program}/execute", json=inputs).status_code == 404
        assert other.post(f"/v1/executions/{execution}/replay").status_code == 404
        assert other.post(f"/v1/programs/{program}/deploy", json={}).status_code == 404


@pytest.mark.parametrize("tenant", ["", "Acme", "a b", "a/b", "-a", "a" * 64])
def test_a_tenant_has_a_form(api: TestClient, tenant: str) -> None:
    reply = api.get("/v1/programs", headers={"X-Stratal-Tenant": tenant})
    fault = reply.json()["faults"][0]
    assert (reply.status_code, fault["pointer"]) == (422, "/X-Stratal-Tenant")


def test_the_actor_is_told_in_the_trail(api: TestClient) -> None:
    api.post("/v1/signatures", json=BODY, headers={"X-Stratal-Actor": "ada@example.org"})
    (entry,) = api.get("/v1/audit?actor=ada@example.org").json()["items"]
    assert entry["topic"] == "signature.defined"
    assert entry["command"] == "DefineSignature"


def test_queries_wait_for_the_position_they_ask_for(world: ApiWorld) -> None:
    asked: list[tuple[int, float]] = []

    def wait_for(position: int, timeout_s: float) -> None:
        asked.append((position, timeout_s))
        if position > 100:
            raise ProjectionIsLate(position, 100)

    with world.client(wait_for=wait_for) as api:
        assert api.get("/v1/programs?at_least=100").status_code == 200
        late = api.get("/v1/programs?at_least=101")
    assert (late.status_code, late.json()["code"]) == (503, "projection.late")
    assert late.headers["Retry-After"] == "1"
    assert [position for position, _ in asked] == [100, 101]


@pytest.mark.parametrize("error", [StoreIsUnavailable("gone"), OutcomeIsUnknown("cut")])
def test_a_database_that_is_down_is_503(world: ApiWorld, error: StoreIsUnavailable) -> None:
    def dispatch(*_: object) -> None:
        raise error

    with world.client(dispatch=dispatch) as api:
        reply = api.post("/v1/signatures", json=BODY)
    assert (reply.status_code, reply.json()["code"]) == (503, error.code)
    assert reply.headers["Retry-After"] == "1"


def test_a_defect_of_ours_is_told_without_details(
    world: ApiWorld, caplog: pytest.LogCaptureFixture
) -> None:
    def dispatch(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    with world.client(dispatch=dispatch) as api:
        reply = api.post("/v1/signatures", json=BODY)
    assert (reply.status_code, reply.json()["code"]) == (500, "internal")
    assert "hunter2" not in reply.text
    assert reply.json()["correlation_id"] in caplog.text
    assert "hunter2" in caplog.text


def test_a_correlation_id_is_kept_or_made(api: TestClient) -> None:
    own = str(uuid4())
    reply = api.post("/v1/signatures", json=BODY, headers={"X-Correlation-Id": own})
    assert reply.headers["X-Correlation-Id"] == own
    (entry,) = api.get(f"/v1/audit?correlation_id={own}").json()["items"]
    assert entry["correlation_id"] == own
    made = api.get("/healthz", headers={"X-Correlation-Id": "not an id"})
    assert made.headers["X-Correlation-Id"] not in ("", own)
