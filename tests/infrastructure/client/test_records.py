"""Records and bindings by the Python client, against the API itself."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from infrastructure.client import Stratal, StratalProblem
from tests.infrastructure.client.test_client import url, world
from tests.support.api import SYNTAX, ApiWorld

__all__ = ["url", "world"]

INPUTS = {"message": {"pointer": "/text"}}


@pytest.fixture
def api(world: ApiWorld, url: str) -> Iterator[Stratal]:
    with Stratal(url, f"t-{uuid4().hex}", "ada") as client:
        client.programs.create("sorter", SYNTAX)
        yield client


def test_records_are_kept_and_changed(api: Stratal) -> None:
    own = str(uuid4())
    made = [api.records.create("post", {"title": "Bread"}, id=own) for _ in range(2)]
    assert [each["id"] for each in made] == [own, own]
    assert (
        api.records.update("post", own, {"a": 1, "title": None}, expected_version=1)["version"] == 2
    )
    with pytest.raises(StratalProblem) as stale:
        api.records.update("post", own, {"a": 2}, expected_version=1)
    assert stale.value.code == "version.stale"
    assert api.records.get("post", own)["data"] == {"a": 1}
    assert [each["record_id"] for each in api.records.list("post")] == [own]
    assert api.records.delete("post", own, "spam")["version"] == 3
    assert [*api.records.list("post")] == []


def test_bound_programs_are_waited_for(api: Stratal, world: ApiWorld) -> None:
    api.bindings.create("ticket", "sort", "sorter", inputs=INPUTS, outputs={"queue": "queue"})
    record_id = api.records.create("ticket", {"text": "It crashes."})["id"]
    with pytest.raises(TimeoutError, match="still waits"):
        api.records.wait("ticket", record_id, timeout_s=0, every_s=0)
    world.work()
    assert api.records.wait("ticket", record_id, timeout_s=30)["data"]["queue"] == "bug"
    failed = api.records.create("ticket", {"title": "No text."})["id"]
    world.work()
    (call,) = api.bindings.calls("ticket.sort", status="failed")
    assert call["record_id"] == failed
    api.records.update("ticket", failed, {"text": "It crashes."})
    api.records.repeat("ticket", failed, call["execution_id"])
    world.work()
    assert api.records.get("ticket", failed)["data"]["queue"] == "bug"
    changed = api.bindings.change(
        "ticket.sort", "sorter", inputs=INPUTS, outputs={"bin": "queue"}, expected_version=1
    )
    assert changed["version"] == 2
    assert api.bindings.pause("ticket.sort", "dear")["version"] == 3
    assert api.bindings.resume("ticket.sort")["version"] == 4
    assert api.bindings.remove("ticket.sort")["version"] == 5
    assert [each["status"] for each in api.bindings.list(resource="ticket")] == ["removed"]
