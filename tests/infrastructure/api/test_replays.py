"""Many executions repeated for one request, a page at a time."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program

INPUTS = {"inputs": {"message": "It crashes."}}


@pytest.fixture(autouse=True)
def _program_that_answers(world: ApiWorld) -> Iterator[None]:
    world.runner.error, world.runner.outputs = None, {"queue": "bug"}
    yield
    world.has_worker = True
    world.work()


def ran(api: TestClient, times: int) -> list[str]:
    """The ids of so many executions, the newest first."""
    a_program(api)
    replies = [api.post("/v1/programs/triage/execute", json=INPUTS).json() for _ in range(times)]
    return [each["execution_id"] for each in reversed(replies)]


def replayed(api: TestClient, wait: int = 30, **wanted: Any) -> Any:
    reply = api.post(f"/v1/executions/replay?wait={wait}", json=wanted)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_all_are_repeated_page_by_page(api: TestClient) -> None:
    ids = ran(api, 3)
    first = replayed(api, limit=2)
    second = replayed(api, limit=2, cursor=first["next"])
    items = first["items"] + second["items"]
    assert [each["execution_id"] for each in items] == ids
    assert {each["outcome"] for each in items} == {"verified"}
    assert second["next"] is None


def test_one_that_ends_otherwise_says_what_differs(api: TestClient, world: ApiWorld) -> None:
    ids = ran(api, 1)
    world.runner.outputs = {"queue": "billing"}
    (item,) = replayed(api)["items"]
    assert item["difference"].splitlines() == ["@ /queue", '- queue: "bug"', '+ queue: "billing"']
    assert item["diverged_at"] is None
    (shown,) = api.get(f"/v1/executions/{ids[0]}").json()["replays"]
    assert shown["difference"] == item["difference"]


def test_those_that_were_repeated_since_are_left_out(api: TestClient) -> None:
    ids = ran(api, 3)
    began = replayed(api, limit=1)["items"][0]["requested_at"]
    rest = replayed(api, unless_replayed_since=began)["items"]
    assert [each["execution_id"] for each in rest] == ids[1:]


def test_a_request_that_is_sent_again_repeats_nothing(api: TestClient) -> None:
    ids = ran(api, 1)
    key = {"Idempotency-Key": uuid4().hex}
    first, again = (api.post("/v1/executions/replay", json={}, headers=key) for _ in range(2))
    assert again.json() == first.json()
    assert len(api.get(f"/v1/executions/{ids[0]}").json()["replays"]) == 1


def test_those_that_nobody_takes_up_are_pending(api: TestClient, world: ApiWorld) -> None:
    ran(api, 1)
    world.has_worker = False
    (item,) = replayed(api, wait=0)["items"]
    assert (item["outcome"], item["difference"]) == ("pending", None)


def test_what_has_not_ended_and_what_was_called_off_is_not_repeated(
    api: TestClient, world: ApiWorld
) -> None:
    ran(api, 0)
    world.has_worker = False
    for _ in range(2):
        reply = api.post("/v1/programs/triage/execute?wait=0", json=INPUTS).json()
    api.post(f"/v1/executions/{reply['execution_id']}/cancel", json={})
    assert replayed(api) == {"items": [], "next": None}
