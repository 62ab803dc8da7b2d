"""Broken connections, broken code and random bodies: the edge holds."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from application.errors import StoreIsUnavailable
from infrastructure.api.edge import Edge
from infrastructure.api.guard import Guard
from tests.support.api import ApiWorld, a_program


def ask(app: Any, *messages: Message) -> list[Message]:
    """What *app* sends in answer to a POST that comes as *messages*."""
    waiting, sent = list(messages), list[Message]()
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/programs",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_client_that_leaves_in_mid_body_gets_nothing() -> None:
    sent = ask(
        ApiWorld().app(),
        {"type": "http.request", "body": b'{"name": ', "more_body": True},
        {"type": "http.disconnect"},
    )
    assert sent == []


def test_a_body_in_pieces_is_put_together() -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([await receive(), await receive()])

    ask(
        Guard(app),
        {"type": "http.request", "body": b'{"a"', "more_body": True},
        {"type": "http.request", "body": b": 1}", "more_body": False},
        {"type": "http.disconnect"},
    )
    assert seen[0] == {"type": "http.request", "body": b'{"a": 1}', "more_body": False}
    assert seen[1] == {"type": "http.disconnect"}


def test_what_is_no_http_passes_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError(message)

    asyncio.run(Edge(Guard(app), uuid4)({"type": "websocket"}, receive, send))
    assert seen == ["websocket"]


@pytest.mark.parametrize("error", [RuntimeError(), StoreIsUnavailable("it does not answer")])
def test_a_reply_that_breaks_in_the_middle_is_cut(error: Exception) -> None:
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message["type"])

    scope: Scope = {"type": "http", "method": "GET", "path": "/v1/audit/export", "headers": []}
    with pytest.raises(type(error)):
        asyncio.run(Edge(app, uuid4)(scope, receive, send))
    assert sent == ["http.response.start"]


def test_any_other_refusal_of_the_framework_is_a_problem() -> None:
    app = ApiWorld().app()

    async def teapot() -> None:
        raise HTTPException(418)

    app.add_api_route("/teapot", teapot)
    with TestClient(app) as api:
        reply = api.get("/teapot")
    assert (reply.status_code, reply.json()["code"]) == (400, "request.unreadable")


POSTS = [
    "/v1/signatures/compile",
    "/v1/signatures",
    "/v1/modules",
    "/v1/programs",
    "/v1/programs/triage/execute",
    "/v1/programs/triage/compile",
    "/v1/programs/triage/evaluate",
    "/v1/programs/triage/deploy",
    "/v1/datasets",
]
KEYS = ["name", "id", "syntax", "spec", "inputs", "modules", "graph", "config", "dataset", "metric"]
TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["a -> b", "a\u0301" * 50, "\x00", "\u202e", "🙂", "nobody", "exact_match", "predict"]
)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT | st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def api() -> Iterator[TestClient]:
    world = ApiWorld()
    world.has_worker = False
    with world.client() as client:
        a_program(client)
        yield client


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.sampled_from(POSTS),
    body=st.dictionaries(st.sampled_from(KEYS), ANY, max_size=5) | ANY,
)
def test_no_body_breaks_a_route(api: TestClient, path: str, body: object) -> None:
    reply = api.post(path, json=body, params={"wait": 0})
    assert reply.status_code < 500, reply.text
    if reply.status_code >= 400:
        problem = reply.json()
        assert problem["status"] == reply.status_code
        assert problem["detail"]
