"""An Idempotency-Key makes every request that writes safe to repeat."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.support.service import Http, Service
from tests.support.triage import SYNTAX, Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

MESSAGE = {"inputs": {"message": "It crashes on save"}}

Step = tuple[str, Callable[[dict[str, str]], str], dict[str, Any]]


def _new(kind: str, path: str, body: dict[str, Any]) -> Step:
    return kind, lambda _: path, body


def _on(kind: str, path: str, body: dict[str, Any]) -> Step:
    return "", lambda made: path.format(made[kind]), body


SIGNATURE = {"name": "routing", "syntax": SYNTAX}
PROGRAM = {"name": "triage", "modules": [{"kind": "predict", "signature_syntax": SYNTAX}]}
ON_MAIL = {"dataset": "mail", "metric": "exact_match"}
WITH_ROWS = {"trainset": [{"message": "Why?", "queue": "howto"}], "metric": "exact_match"}
EVERY_POST: list[Step] = [
    _new("signature", "/v1/signatures", SIGNATURE),
    _on("signature", "/v1/signatures/{}/revise", {"syntax": f"{SYNTAX}, why: str"}),
    ("module", lambda _: "/v1/modules", {"name": "router", "kind": "predict"}),
    _on("module", "/v1/modules/{}/configure", {"config": {"temperature": 0.5}}),
    _new("program", "/v1/programs", PROGRAM),
    _on("program", "/v1/programs/{}/testing", {}),
    _new("dataset", "/v1/datasets", {"name": "mail"}),
    ("", lambda _: "/v1/datasets/mail/rows?split=train", {}),
    ("", lambda _: "/v1/datasets/mail/rows?split=heldout", {}),
    ("execution", lambda _: "/v1/programs/triage/execute?wait=60", MESSAGE),
    _on("execution", "/v1/executions/{}/replay?wait=60", {}),
    ("evaluation", lambda _: "/v1/programs/triage/evaluate", ON_MAIL),
    _on("evaluation", "/v1/evaluations/{}/cancel", {}),
    ("optimization", lambda _: "/v1/programs/triage/compile", ON_MAIL),
    _on("optimization", "/v1/optimizations/{}/cancel", {}),
    _new("optimization", "/v1/programs/triage/compile", WITH_ROWS),
    _on("optimization", "/v1/optimizations/{}/cancel", {}),
    _on("program", "/v1/programs/{}/deploy", {"reason": "Why not."}),
    _on("module", "/v1/modules/{}/retire", {}),
    _on("signature", "/v1/signatures/{}/retire", {}),
    _on("program", "/v1/programs/{}/retire", {}),
]
ROWS = [{"message": "It crashes on save", "queue": "bug"}]


def test_a_repeated_request_has_one_effect_and_one_answer(http: Http) -> None:
    """Every POST that writes, but for the cancelling of an execution, which has its own test."""
    made: dict[str, str] = {}
    for number, (kind, path, wish) in enumerate(EVERY_POST):
        where, body = path(made), wish | _rest(kind, made)
        sent = {"json": ROWS if "/rows" in where else body}
        headers = {"Idempotency-Key": f"step-{number}"}
        first, second = (http.send("POST", where, headers=headers, **sent) for _ in range(2))
        assert first.is_success, f"{where}: {first.text}"
        assert (second.status_code, second.json()) == (first.status_code, first.json())
        for header in ("ETag", "X-Stratal-Position", "Location"):
            assert second.headers.get(header) == first.headers.get(header)
        if kind:
            made[kind] = first.json().get("id") or first.json()["execution_id"]
    keys = [each["command_id"] for each in http.events()]
    assert {f"step-{n}": keys.count(f"step-{n}") for n in range(len(EVERY_POST))} == {
        # Rows that are sent along become a dataset, which is created and loaded.
        f"step-{n}": 3 if body is WITH_ROWS else 1
        for n, (*_, body) in enumerate(EVERY_POST)
    }


def _rest(kind: str, made: dict[str, str]) -> dict[str, Any]:
    return {"signature_id": made["signature"]} if kind == "module" else {}


def test_an_execution_is_called_off_once(service: Service, triage: Triage) -> None:
    service.lm.script.latency_ms = 1000
    try:
        made = triage.execute("It crashes on save", wait=0)["execution_id"]
        path, headers = f"/v1/executions/{made}/cancel", {"Idempotency-Key": "off"}
        body = {"reason": "It is not needed."}
        first, second = (
            triage.http.send("POST", path, json=body, headers=headers) for _ in range(2)
        )
    finally:
        service.lm.script.latency_ms = 0
    assert first.is_success, first.text
    assert second.json() == first.json()
    ended = triage.http.get(f"/v1/executions/{made}")
    assert (ended["status"], ended["cancelled_because"]) == ("cancelled", body["reason"])
    topics = [each["topic"] for each in triage.http.events()]
    assert topics.count("execution.cancelled") == 1


def test_f_29_50_equal_requests_at_once_have_one_effect_and_one_answer(
    service: Service, triage: Triage
) -> None:
    path, headers = f"{triage.program}/execute", {"Idempotency-Key": "once"}

    def send(_: int) -> httpx2.Response:
        return triage.http.send("POST", path, json=MESSAGE, headers=headers, params={"wait": 60})

    asked = service.lm.calls
    with ThreadPoolExecutor(50) as threads:
        replies = list(threads.map(send, range(50)))
    assert {each.status_code for each in replies} == {200}
    assert len({each.text for each in replies}) == 1
    assert service.lm.calls == asked + 1
    assert [each["command_id"] for each in triage.http.events()].count("once") == 1


def test_f_29_a_key_is_its_tenants_own(service: Service) -> None:
    tenants, headers = [service.http(), service.http()], {"Idempotency-Key": "same"}
    made = [each.post("/v1/datasets", {"name": "mail"}, headers=headers) for each in tenants]
    assert made[0]["id"] != made[1]["id"]
    for each in tenants:
        assert [it["topic"] for it in each.events()] == ["dataset.created"]


def test_f_29_another_actor_repeats_the_same_request(service: Service, http: Http) -> None:
    headers = {"Idempotency-Key": "same"}
    first = http.post("/v1/datasets", {"name": "mail"}, headers=headers)
    bob = service.http(http.tenant, actor="bob")
    assert bob.post("/v1/datasets", {"name": "mail"}, headers=headers) == first
    assert [each["actor"] for each in http.events()] == ["ann"]
