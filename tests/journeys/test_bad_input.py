"""Bad input is refused with a typed problem, and nothing of it is stored."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.support.service import Service
from tests.support.triage import Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

MESSAGE = {"inputs": {"message": "It crashes on save"}}

Send = Callable[[Triage], httpx2.Response]


def _post(path: str, body: object = None, **sent: Any) -> Send:
    request = sent if body is None else {"json": body, **sent}
    return lambda it: it.http.send("POST", path.format(it.made["program"]), **request)


def _compile(syntax: str) -> Send:
    return _post("/v1/signatures", {"name": "bad", "syntax": syntax})


def _raw(content: bytes) -> Send:
    headers = {"Content-Type": "application/json"}
    return _post("/v1/programs/{}/execute", content=content, headers=headers)


def _stale(it: Triage) -> httpx2.Response:
    it.http.post(f"{it.program}/testing", {})
    path, body = f"{it.program}/deploy", {"reason": "r"}
    return it.http.send("POST", path, json=body, headers={"If-Match": '"1"'})


def _reused_key(it: Triage) -> httpx2.Response:
    headers = {"Idempotency-Key": "k"}
    it.http.post("/v1/datasets", {"name": "one"}, headers=headers)
    return it.http.send("POST", "/v1/datasets", json={"name": "two"}, headers=headers)


EXECUTE = "/v1/programs/{}/execute"
BAD: dict[str, tuple[Send, int, str, int]] = {
    "no arrow": (_compile("a b"), 422, "invalid_signature_format", 0),
    "two arrows": (_compile("a -> b -> c"), 422, "invalid_signature_format", 0),
    "unknown type": (_compile("foo: strng -> b"), 422, "invalid_type", 0),
    "missing input": (_post(EXECUTE, {"inputs": {}}), 422, "values.invalid", 0),
    "wrong type": (_post(EXECUTE, {"inputs": {"message": 7}}), 422, "values.invalid", 0),
    "NUL": (_post(EXECUTE, {"inputs": {"message": "a\0b"}}), 422, "json.refused", 0),
    "NUL in a name": (_post("/v1/datasets", {"name": "a\0b"}), 422, "json.refused", 0),
    "lone surrogate": (_raw(b'{"inputs": {"message": "\\ud800"}}'), 422, "json.refused", 0),
    "NaN": (_raw(b'{"inputs": {"message": NaN}}'), 422, "json.refused", 0),
    "10 MB": (
        _raw(b'{"inputs": {"message": "' + b"a" * 10_000_000 + b'"}}'),
        413,
        "body.too_large",
        0,
    ),
    "100 000 deep": (_raw(b"[" * 100_000 + b"]" * 100_000), 422, "json.refused", 0),
    "unknown program": (_post("/v1/programs/nobody/execute", MESSAGE), 404, "not_found", 0),
    "stale If-Match": (_stale, 412, "version.stale", 1),
    "reused key": (_reused_key, 422, "idempotency_key.reused", 1),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_typed_problem_and_nothing_is_stored(
    service: Service, triage: Triage, name: str
) -> None:
    send, status, code, good_ones = BAD[name]
    head, payloads = service.head(), service.rows("SELECT count(*) FROM stratal.payloads")
    asked = service.lm.calls
    reply = send(triage)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["type"] == f"/problems/{code}"
    assert service.head() == head + good_ones
    assert service.rows("SELECT count(*) FROM stratal.payloads") == payloads
    assert service.lm.calls == asked
    assert triage.http.get("/healthz")["status"] == "ok"
