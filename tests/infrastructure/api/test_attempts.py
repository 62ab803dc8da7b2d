"""Every command leaves a trace: an event, or else what became of it."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.auditing import Attempt
from application.errors import StoreIsUnavailable
from infrastructure.postgres.attempts import AttemptLog
from infrastructure.postgres.pool import open_pool
from tests.support.api import SYNTAX, ApiWorld, a_program

BODY = {"name": "route", "syntax": SYNTAX}


@pytest.fixture
def tried(world: ApiWorld) -> list[Attempt]:
    """What was noted since the test began."""
    world.attempts.noted.clear()
    return world.attempts.noted


@pytest.fixture
def kept(world: ApiWorld) -> Iterator[AttemptLog]:
    """The audit's own table, in the database of the read models."""
    assert world.models is not None
    where = world.models.tables.connection.info.dsn
    with open_pool(where, min_size=1, max_size=1, name="attempts") as pool:
        yield AttemptLog(pool)


@pytest.mark.feature("AUD-01")
def test_every_command_has_its_row_in_the_audit_with_who_and_why(
    world: ApiWorld, kept: AttemptLog
) -> None:
    ann = {"X-Stratal-Actor": "ann"}
    with world.client(f"t-{uuid4().hex}", attempts=kept) as api:
        with kept:
            done = api.post("/v1/signatures", json=BODY, headers=ann).json()
            again = api.post("/v1/signatures/route/revise", json={"syntax": SYNTAX}, headers=ann)
            taken = api.post("/v1/signatures", json=BODY, headers=ann)
        trail = api.get("/v1/audit").json()["items"]
        rows = api.get("/v1/audit/attempts", params={"order": "oldest"}).json()["items"]
    assert [(row["actor"], row["command"], row["aggregate_id"]) for row in trail] == [
        ("ann", "DefineSignature", done["id"])
    ]
    assert [(row["actor"], row["command"], row["outcome"], row["code"]) for row in rows] == [
        ("ann", "ReviseSignature", "unchanged", None),
        ("ann", "DefineSignature", "refused", "name.taken"),
    ]
    assert [row["reason"] for row in rows] == ["It was so already.", taken.json()["detail"]]
    assert rows[0]["aggregate_id"] == done["id"]
    assert rows[0]["correlation_id"] == again.headers["X-Correlation-Id"]
    assert [(row["status"], row["address_mode"], row["address"]) for row in rows] == [
        (200, "network", None),
        (409, "network", None),
    ]


REFUSALS: dict[str, tuple[str, dict[str, Any], str, str | None]] = {
    "no JSON": ("/v1/programs", {"content": b"{"}, "json.malformed", None),
    "no such field": ("/v1/programs", {"json": {"nome": "x"}}, "request.invalid", None),
    "no such thing": ("/v1/programs/nobody/retire", {"json": {}}, "not_found", None),
    "no name": (
        "/v1/programs",
        {"json": {"name": "x", "modules": [{"kind": "predict", "signature_syntax": "a b"}]}},
        "invalid_signature_format",
        "CreateProgram",
    ),
    "no tag": (
        "/v1/programs/triage/retire",
        {"json": {}, "headers": {"If-Match": "1"}},
        "etag.malformed",
        None,
    ),
    "stale": (
        "/v1/programs/triage/retire",
        {"json": {}, "headers": {"If-Match": '"7"'}},
        "version.stale",
        "RetireProgram",
    ),
    "no actor": (
        "/v1/programs/triage/retire",
        {"json": {}, "headers": {"X-Stratal-Actor": "a b"}},
        "request.invalid",
        None,
    ),
}


@pytest.mark.feature("AUD-01")
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_command_is_noted_once_and_leaves_nothing_in_the_log(
    world: ApiWorld, api: TestClient, tried: list[Attempt], name: str
) -> None:
    a_program(api)
    path, request, code, command = REFUSALS[name]
    sent = {"headers": {"Content-Type": "application/json", "X-Stratal-Actor": "ann"}} | request
    events, texts = len(world.log.recorded), len(world.payloads)
    reply = api.post(path, **sent)
    assert reply.json()["code"] == code, reply.text
    (noted,) = tried
    assert (noted.outcome, noted.code, noted.command) == ("refused", code, command)
    assert noted.tenant == api.headers["X-Stratal-Tenant"]
    assert noted.status == reply.status_code
    assert str(noted.correlation_id) == reply.json()["correlation_id"]
    assert noted.reason.startswith(reply.json()["detail"])
    assert noted.operation.startswith("POST /v1/programs")
    assert (len(world.log.recorded), len(world.payloads)) == (events, texts)


def test_who_cannot_be_an_actor_is_nobody(api: TestClient, tried: list[Attempt]) -> None:
    headers = {"X-Stratal-Actor": "a b", "X-Stratal-Tenant": "A B"}
    api.post("/v1/datasets", json={"name": "x"}, headers=headers)
    assert [(each.tenant, each.actor) for each in tried] == [("default", "anonymous")]


def test_what_is_wrong_is_told_by_codes_alone(api: TestClient, tried: list[Attempt]) -> None:
    api.post("/v1/datasets", json={"name": 7, "what I typed": 1})
    (noted,) = tried
    assert noted.reason == (
        "2 values of this request cannot be used. See the faults, then send it again."
        " (extra_forbidden, string_type)"
    )


def test_a_secret_in_a_refusal_is_blotted_out(api: TestClient, tried: list[Attempt]) -> None:
    api.post("/v1/programs/sk-abcdefghijkl/retire", json={})
    (noted,) = tried
    assert noted.reason == "No program is called [redacted]"
    assert noted.operation == "POST /v1/programs/{program}/retire"


def test_questions_and_addresses_of_nothing_are_no_commands(
    api: TestClient, tried: list[Attempt]
) -> None:
    a_program(api)
    for reply in (
        api.get("/v1/programs/nobody"),
        api.post("/v1/nothing", json={}),
        api.delete("/v1/programs/triage"),
        api.post("/v1/signatures/compile", json={"syntax": "a b"}),
    ):
        assert reply.status_code >= 400
    assert tried == []


def test_what_was_done_before_is_no_attempt(api: TestClient, tried: list[Attempt]) -> None:
    for _ in range(2):
        api.post("/v1/signatures", json=BODY, headers={"Idempotency-Key": "k"})
    assert tried == []


@pytest.mark.parametrize(
    ("mode", "address"), [("network", "203.0.113.0/24"), ("full", "203.0.113.9"), ("none", None)]
)
def test_of_the_clients_address_the_setting_says_what_is_kept(
    world: ApiWorld, tried: list[Attempt], mode: Any, address: str | None
) -> None:
    app = world.app(addresses=mode)
    with TestClient(app, client=("203.0.113.9", 5)) as api:
        api.post("/v1/programs/nobody/retire", json={})
    assert [(each.address_mode, each.address) for each in tried] == [(mode, address)]


@pytest.mark.feature("AUD-01")
def test_an_audit_that_fails_does_not_change_the_answer(
    world: ApiWorld, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def note(self, attempt: Attempt) -> None:
            raise RuntimeError(attempt.code)

    with world.client(attempts=Broken()) as api:
        reply = api.post("/v1/programs/nobody/retire", json={})
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert "An attempt could not be noted." in caplog.text


def test_what_the_database_could_not_take_is_noted_as_well(
    world: ApiWorld, tried: list[Attempt]
) -> None:
    def dispatch(*_: object) -> Any:
        raise StoreIsUnavailable("it does not answer")

    with world.client(dispatch=dispatch) as api:
        assert api.post("/v1/datasets", json={"name": "x"}).status_code == 503
    assert [(each.code, each.command) for each in tried] == [("store.unavailable", "CreateDataset")]


def test_attempts_are_found_by_who_what_and_why_and_read_by_the_page(
    world: ApiWorld, kept: AttemptLog
) -> None:
    with world.client(f"t-{uuid4().hex}", attempts=kept) as api:
        with kept:
            for actor in ("ann", "bob", "ann"):
                by = {"X-Stratal-Actor": actor}
                api.post("/v1/programs/nobody/retire", json={}, headers=by)
                api.post("/v1/datasets", json={}, headers=by)

        def found(**query: str) -> list[str]:
            items = api.get("/v1/audit/attempts", params=query).json()["items"]
            return [f"{each['actor']} {each['code']}" for each in items]

        assert found(actor="bob") == ["bob request.invalid", "bob not_found"]
        assert found(code="not_found") == ["ann not_found", "bob not_found", "ann not_found"]
        assert len(found(operation="POST /v1/datasets")) == 3
        assert found(command="RetireProgram") == []
        assert found(since="2999-01-01T00:00:00Z") == []
        assert len(found(until="2999-01-01T00:00:00Z", outcome="refused")) == 6
        first = api.get("/v1/audit/attempts", params={"limit": 4}).json()
        rest = api.get("/v1/audit/attempts", params={"cursor": first["next"]}).json()
        ids = [each["id"] for each in (*first["items"], *rest["items"])]
        assert len(ids) == 6
        assert ids == sorted(ids, reverse=True)
    with world.client(f"t-{uuid4().hex}") as other:
        assert other.get("/v1/audit/attempts").json()["items"] == []
