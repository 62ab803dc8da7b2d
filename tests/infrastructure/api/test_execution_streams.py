"""One execution over a stream: its states once, what is said live, and an end whatever happens."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from application.errors import StoreIsUnavailable
from application.retelling import Live
from application.streaming import Piece
from domain.execution.events import (
    ExecutionLmCalled,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
)
from infrastructure.api import execution_streams, live
from infrastructure.api.live import LiveHub
from infrastructure.postgres.live import live_of
from tests.support import histories as build
from tests.support.api import ApiWorld, a_program
from tests.support.runs import answered, key, refused, used
from tests.support.sse import Serving, blocks, moments, serving, stream

INPUTS = {"inputs": {"message": "It crashes."}, "stream": True}
CALL = key("first")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_streams, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(execution_streams, "_LOOK_S", 0.01)


@pytest.fixture
def world() -> ApiWorld:
    return ApiWorld()


@pytest.fixture
def at(world: ApiWorld) -> Iterator[Serving]:
    with serving(world.app()) as at:
        yield at


def requested(world: ApiWorld, *, works: bool = False) -> UUID:
    """An execution of ``acme`` that waits for its worker."""
    world.has_worker = works
    api = world.client("acme")
    reply = api.post(f"/v1/programs/{a_program(api)}/execute", json=INPUTS)
    assert reply.status_code == 202
    return UUID(reply.json()["execution_id"])


def path(id: UUID) -> str:
    return f"/v1/executions/{id}/stream"


def told(id: UUID, piece: Piece | None, tenant: str = "acme") -> str:
    return json.dumps([tenant, str(id), CALL, "answer", piece])


@pytest.mark.feature("EXE-11")
def test_exe_11_a_run_that_is_streamed_is_answered_at_once_and_told_to_its_end(
    world: ApiWorld, at: Serving
) -> None:
    execution = requested(world)
    with stream(at.url, "acme", path=path(execution)) as reply:
        seen = moments(reply)
        assert next(seen).data["status"] == "pending"
        world.has_worker = True
        rest = list(seen)
    assert [(each.event, each.data.get("status", each.data.get("state"))) for each in rest] == [
        ("state", "running"),
        *[("node", "began"), ("node", "ended")] * 2,
        ("state", "completed"),
    ]
    assert [each.id for each in rest] == [2, None, 3, None, 4, 5]
    assert rest[-1].data["outputs"] == {"queue": "bug"}
    with TestClient(world.app(), headers={"X-Stratal-Tenant": "acme"}) as api:
        assert api.get(path(execution), headers={"Last-Event-ID": "5"}).status_code == 204
        assert api.get(path(uuid4())).status_code == 404
    with stream(at.url, "acme", path=path(execution), last_event_id=3) as reply:
        assert [each.id for each in moments(reply)] == [None, 4, 5]


@pytest.mark.feature("EXE-11")
def test_exe_11_what_is_said_live_is_told_to_the_tenant_alone(world: ApiWorld, at: Serving) -> None:
    execution = requested(world)
    with stream(at.url, "acme", path=path(execution)) as reply:
        seen = moments(reply)
        assert next(seen).data["status"] == "pending"
        world.live.heard(None)
        world.live.heard(told(execution, Piece("queue", 0, "not this"), tenant="other"))
        world.live.heard(told(execution, None))
        world.live.heard(told(execution, Piece("queue", 0, "cra")))
        world.live.heard(told(execution, Piece("queue", 3, "sh")))
        live_ = list(islice(seen, 3))
    assert [each.event for each in live_] == ["node", "chunk", "chunk"]
    assert "".join(each.data["text"] for each in live_[1:]) == "crash"
    with stream(at.url, "other", path=path(execution)) as reply:
        assert reply.status_code == 404


def test_tools_are_told_and_what_is_nothing_to_a_follower_is_not(
    world: ApiWorld, at: Serving
) -> None:
    (call, _, _), (failed, _, _), (again, _, _) = used("why"), refused("a"), answered("a")
    events = (
        build.execution_requested(),
        ExecutionStarted(attempt=1, worker="worker-1"),
        ExecutionWarned(code="odd", message="It is odd."),
        ExecutionToolCalled(call=call),
        *(ExecutionLmCalled(call=each) for each in (failed, again, again)),
        build.execution_failed(),
    )
    world.log.recorded += build.Log("acme").append(build.an_id("e"), *events)
    with stream(at.url, "acme", path=path(build.an_id("e"))) as reply:
        seen = list(moments(reply))
    assert [(each.id, each.event) for each in seen] == [
        (1, "state"),
        (2, "state"),
        (4, "tool"),
        *[(None, "node"), (5, "node")],
        *[(None, "node"), (6, "node")],
        (8, "state"),
    ]
    assert seen[2].data == {"node": "answer", "tool": "search", "failure": None}
    assert seen[4].data["failure"]["code"] == "model.unavailable"
    assert seen[-1].data["status"] == "failed"


def test_a_silent_stream_says_that_it_is_open(
    world: ApiWorld, at: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_streams, "HEARTBEAT_S", 0.02)
    with stream(at.url, "acme", path=path(requested(world))) as reply:
        first, second, *later = islice(blocks(reply), 4)
    assert first == {"retry": "1000"}
    assert second["event"] == "state"
    assert later == [{"": "nothing new"}] * 2


def test_a_stream_ends_well_with_its_server_and_while_the_log_is_away(world: ApiWorld) -> None:
    execution, away = requested(world), False

    def history(stream_id: UUID) -> Any:
        if away:
            raise StoreIsUnavailable("it does not answer")
        return world.log.stream(stream_id)

    with serving(world.app(history=history)) as at:
        with stream(at.url, "acme", path=path(execution)) as reply:
            seen = moments(reply)
            next(seen)
            away = True
            assert list(seen) == []
        away = False
        with stream(at.url, "acme", path=path(execution)) as reply:
            seen = moments(reply)
            next(seen)
            at.server.should_exit = True
            assert list(seen) == []


@pytest.mark.feature("F-32")
def test_who_hardly_reads_holds_little_and_who_has_gone_nothing() -> None:
    hub, woken = LiveHub(live_of), list[int]()
    execution = uuid4()
    with hub.opened("acme", execution, lambda: woken.append(1)) as first:
        with hub.opened("acme", execution, lambda: woken.append(2)) as second:
            hub.heard(told(execution, Piece("queue", 0, "cra")))
            assert first.take() == second.take() == [Live(CALL, "answer", Piece("queue", 0, "cra"))]
            assert woken == [1, 2]
        for number in range(2 * live.MOST_WAITING):
            hub.heard(told(execution, Piece("queue", number, "x")))
        assert len(first.take()) == live.MOST_WAITING
        assert second.take() == []
    hub.heard("nobody reads this")
    assert len(woken) == 2 + 2 * live.MOST_WAITING
