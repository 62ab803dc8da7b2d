"""The trail, usage, health, documentation and what the service says of itself."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.errors import StoreIsUnavailable
from application.tracing import Attributes, NoTracing
from domain.program.events import ProgramCreated
from infrastructure.api.problems import kinds
from tests.support.api import ApiWorld, FakeLag, a_program

DOCUMENT = Path(__file__).with_name("openapi.json")


def executed(api: TestClient) -> str:
    a_program(api)
    reply = api.post("/v1/programs/triage/execute", json={"inputs": {"message": "Hi."}})
    return str(reply.json()["execution_id"])


def test_the_audit_trail_is_filtered_and_ordered(api: TestClient) -> None:
    execution = executed(api)
    newest = api.get(f"/v1/audit?aggregate_id={execution}").json()["items"]
    oldest = api.get(f"/v1/audit?aggregate_id={execution}&order=oldest").json()["items"]
    assert newest == oldest[::-1]
    assert [entry["topic"] for entry in oldest] == [
        "execution.requested",
        "execution.started",
        "execution.lm_called",
        "execution.lm_called",
        "execution.completed",
    ]
    programs = api.get("/v1/audit?aggregate=program").json()["items"]
    assert "triage" in programs[0]["sentence"]
    assert api.get("/v1/audit?until=2000-01-01T00:00:00Z").json()["items"] == []


def test_a_time_without_a_zone_is_refused(api: TestClient) -> None:
    for path in ("/v1/audit", "/v1/executions"):
        reply = api.get(f"{path}?since=2030-01-01T00:00:00")
        fault = reply.json()["faults"][0]
        assert (reply.status_code, fault["pointer"]) == (422, "/since")


def test_the_feed_gives_every_fact_once_in_order(api: TestClient, world: ApiWorld) -> None:
    executed(api)
    seen: list[dict[str, Any]] = []
    after = 0
    while feed := api.get(f"/v1/events?after={after}&limit=2").json():
        if not feed["items"]:
            assert feed["next"] == after
            break
        seen += feed["items"]
        after = feed["next"]
    assert [event["topic"] for event in seen][:2] == ["program.created", "execution.requested"]
    assert [event["position"] for event in seen] == sorted(event["position"] for event in seen)
    assert seen[0]["data"]["name"] == "triage"
    assert seen[0]["schema_version"] == ProgramCreated.VERSION


def test_usage_is_summed(api: TestClient) -> None:
    executed(api)
    usage = api.get("/v1/usage?run=execution").json()
    assert usage["total"]["calls"] == 2
    assert sum(row["calls"] for row in usage["items"]) == 2
    assert api.get("/v1/usage?since=2999-01-01").json()["total"]["calls"] == 0


def test_health_says_ok_and_the_version(api: TestClient) -> None:
    assert api.get("/healthz").json() == {"status": "ok", "version": "1.2.3"}


def test_ready_with_the_lag_of_every_projection(api: TestClient) -> None:
    reply = api.get("/readyz")
    assert (reply.status_code, reply.json()["status"]) == (200, "ready")
    assert reply.json()["projections"] == [
        {
            "name": "executions",
            "version": 1,
            "position": 7,
            "behind": 2,
            "behind_s": 0.5,
            "heartbeat_age_s": 0.25,
            "parked": 0,
            "failure": None,
        }
    ]


@pytest.mark.parametrize(
    ("lag", "reason"),
    [
        (FakeLag(heartbeat_age_s=60), "silent for 60 s"),
        (FakeLag(failure="division by zero"), "division by zero"),
    ],
)
def test_not_ready_when_a_runner_is_silent_or_stopped(
    world: ApiWorld, lag: FakeLag, reason: str
) -> None:
    with world.client(lags=lambda: [lag]) as api:
        reply = api.get("/readyz")
    assert (reply.status_code, reply.json()["status"]) == (503, "not_ready")
    assert reason in reply.json()["reasons"][0]


def test_degraded_but_in_service_when_a_read_model_does_without_events(world: ApiWorld) -> None:
    why = "event at position 4 (program.retired): KeyError: 'the words of a tenant'"
    lag = FakeLag(parked=3, parked_because=why)
    with world.client(lags=lambda: [lag]) as api:
        reply = api.get("/readyz")
    assert (reply.status_code, reply.json()["status"]) == (200, "degraded")
    (reason,) = reply.json()["reasons"]
    assert "does without 3 parked events" in reason
    assert "position 4 (program.retired): KeyError." in reason
    assert "the words of a tenant" not in reply.text


def test_not_ready_before_any_projector_has_run(world: ApiWorld) -> None:
    with world.client(lags=list) as api:
        reply = api.get("/readyz")
    assert (reply.status_code, reply.json()["status"]) == (503, "not_ready")
    assert "no projector has run" in reply.json()["reasons"][0]


def test_not_ready_when_the_database_is_down(world: ApiWorld) -> None:
    def lags() -> list[FakeLag]:
        raise StoreIsUnavailable("gone")

    with world.client(lags=lags) as api:
        assert api.get("/readyz").json()["code"] == "store.unavailable"
        assert api.get("/healthz").status_code == 200


def test_not_ready_when_the_database_hangs(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.api.health._PATIENCE_S", 0.05)
    with world.client(lags=lambda: sleep(0.5)) as api:
        reply = api.get("/readyz")
    assert (reply.status_code, reply.json()["code"]) == (503, "store.unavailable")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route.unknown"),
        ("GET", "/v1/programs/", 404, "route.unknown"),
        ("DELETE", "/v1/programs", 405, "method.not_allowed"),
        ("PUT", "/healthz", 405, "method.not_allowed"),
    ],
)
def test_unknown_routes_and_methods_are_problems(
    api: TestClient, method: str, path: str, status: int, code: str
) -> None:
    reply = api.request(method, path)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert status != 405 or reply.headers["Allow"]


def test_the_type_of_every_problem_leads_to_what_it_means(api: TestClient) -> None:
    for kind in kinds():
        reply = api.get(f"/problems/{kind.code}")
        assert (reply.status_code, reply.json()["code"]) == (200, kind.code)
        assert reply.json()["meaning"]
    assert api.get("/problems/nonsense").json()["code"] == "problem.unknown"


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/docs", "/v1/programs"])
def test_every_reply_is_hardened(api: TestClient, path: str) -> None:
    headers = api.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["X-Correlation-Id"]


def test_the_documentation_is_one_page_without_foreign_assets(api: TestClient) -> None:
    page = api.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "/v1/programs/{program}/execute" in page.text
    for foreign in ("<script", "http://", "https://", "src=", "@import", "url("):
        assert foreign not in page.text


def test_the_document_is_the_committed_one(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    committed = json.loads(DOCUMENT.read_text())
    assert document == committed, "The API changed: run `python -m tests.support.openapi`."


def test_every_operation_tells_its_problems_and_what_it_is_for(api: TestClient) -> None:
    for path, operations in api.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)
            told = operation["responses"]["default"]
            assert told == {"$ref": "#/components/responses/Problem"}


def test_the_callers_trace_goes_on(world: ApiWorld) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    spans: list[tuple[str | None, str, dict[str, object]]] = []

    class Spy(NoTracing):
        @contextmanager
        def continued(self, traceparent: str | None, name: str) -> Generator[Any, None, None]:
            told: dict[str, object] = {}
            spans.append((traceparent, name, told))

            class _Span:
                def set(self, attributes: Attributes) -> None:
                    told.update(attributes)

            yield _Span()

    with world.client(tracing=Spy()) as api:
        reply = api.get("/v1/programs/nobody", headers={"traceparent": parent})
    assert reply.status_code == 404
    ((traceparent, name, told),) = spans
    assert (traceparent, name) == (parent, "GET /v1/programs/{program}")
    assert told["http.response.status_code"] == 404


@pytest.mark.parametrize("sent", ["x" * 9000, "00-ß", f"00-{'1' * 32}-{'2' * 16}-01-more"])
def test_what_is_no_trace_is_not_kept(world: ApiWorld, sent: str) -> None:
    """It would be stored with each event, and travel with each job and notification."""
    body = {"name": f"s-{uuid4().hex}", "syntax": "a -> b"}
    headers = {"traceparent": sent.encode("latin-1")}
    with world.client() as api:
        made = api.post("/v1/signatures", json=body, headers=headers)
    assert made.status_code == 201, made.text
    assert world.log.recorded[-1].envelope.traceparent is None


def test_the_api_process_never_imports_dspy() -> None:
    code = (
        "import sys, infrastructure.main.api\n"
        "print([name for name in ('dspy', 'litellm', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
