"""Tools over HTTP and on the command line: created, read, listed, retired."""

from typing import Any

import pytest
from starlette.testclient import TestClient

SPEC: dict[str, Any] = {
    "kind": "python",
    "name": "search",
    "description": "Find articles.",
    "entry_point": "shop.tools:search",
    "arguments": [{"name": "query"}],
}


@pytest.mark.feature("MOD-25")
def test_mod_25_a_tool_is_read_by_id_and_name_listed_and_retired(api: TestClient) -> None:
    reply = api.post("/v1/tools", json={"spec": SPEC})
    assert reply.status_code == 201, reply.text
    tool_id = reply.json()["id"]
    by_id, by_name = api.get(f"/v1/tools/{tool_id}").json(), api.get("/v1/tools/search").json()
    assert by_id == by_name
    assert (by_id["name"], by_id["version"], by_id["retired_at"]) == ("search", 1, None)
    assert by_id["spec"]["entry_point"] == "shop.tools:search"
    assert [row["tool_id"] for row in api.get("/v1/tools").json()["items"]] == [tool_id]
    assert api.get("/v1/tools?name=other").json()["items"] == []
    assert api.post("/v1/tools/search/retire", json={"reason": "Old."}).status_code == 200
    assert api.get("/v1/tools").json()["items"] == []
    (retired,) = api.get("/v1/tools?retired=true").json()["items"]
    assert (retired["retired_because"], retired["version"]) == ("Old.", 2)
    topics = [row["topic"] for row in api.get("/v1/tools/search/history").json()["items"]]
    assert sorted(topics) == ["tool.created", "tool.retired"]


def test_a_tool_that_is_not_there_is_not_found(api: TestClient) -> None:
    assert api.get("/v1/tools/nothing").json()["code"] == "not_found"
