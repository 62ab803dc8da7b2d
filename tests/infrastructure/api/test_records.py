"""Records over HTTP: created, read, listed, patched, deleted; and the programs bound to them."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.lm_ports import ProgramFailed
from domain.values import Failure
from tests.support.api import ApiWorld, a_program

INVALID = "record.invalid"
POST = {"title": "On bread", "content": "Flour, water, time."}
BINDING: dict[str, Any] = {
    "name": "sort",
    "resource": "post",
    "program": "triage",
    "inputs": {"message": {"pointer": "/content"}},
    "outputs": {"queue": "queue"},
}


def a_record(api: TestClient, data: object = POST, **headers: str) -> str:
    """The path of a new post."""
    reply = api.post("/v1/records/post", json={"data": data}, headers=headers)
    assert reply.status_code == 201, reply.text
    assert reply.headers["Location"].partition("?")[0] == f"/v1/records/post/{reply.json()['id']}"
    return f"/v1/records/post/{reply.json()['id']}"


def bind(api: TestClient, **changes: object) -> str:
    """The path of a new binding of a new program."""
    a_program(api)
    reply = api.post("/v1/bindings", json=BINDING | changes)
    assert reply.status_code == 201, reply.text
    return f"/v1/bindings/{reply.json()['id']}"


def test_a_record_is_created_read_listed_patched_and_deleted(api: TestClient) -> None:
    path = a_record(api)
    found = api.get(path)
    assert found.headers["ETag"] == '"1"'
    told = found.json()
    assert (told["data"], told["status"], told["calls"]) == (POST, "active", [])
    assert (told["resource"], told["version"], told["created_by"]) == ("post", 1, "anonymous")
    (listed,) = api.get("/v1/records/post").json()["items"]
    assert listed == {name: value for name, value in told.items() if name != "calls"}
    assert api.get("/v1/records/note").json()["items"] == []

    patch = {"title": "On good bread", "content": None, "tags": ["food"]}
    reply = api.patch(path, json=patch, headers={"If-Match": '"1"'})
    assert (reply.status_code, reply.json()["version"]) == (200, 2)
    assert api.get(path).json()["data"] == {"title": "On good bread", "tags": ["food"]}
    assert api.patch(path, json=patch, headers={"If-Match": '"1"'}).status_code == 412

    gone = api.delete(f"{path}?reason=spam", headers={"If-Match": '"2"'})
    assert gone.status_code == 200, gone.text
    told = api.get(path).json()
    assert (told["status"], told["deleted_because"], told["version"]) == ("deleted", "spam", 3)
    assert api.get("/v1/records/post").json()["items"] == []
    assert len(api.get("/v1/records/post?deleted=true").json()["items"]) == 1
    refused = api.patch(path, json={"title": "Back"})
    assert (refused.status_code, refused.json()["code"]) == (409, "record.deleted")


def test_a_record_is_read_as_it_was(api: TestClient) -> None:
    path = a_record(api)
    position = api.get(path).json()["position"]
    api.patch(path, json={"title": "Later"})
    assert api.get(f"{path}?as_of={position}").json()["data"] == POST
    (listed,) = api.get(f"/v1/records/post?as_of={position}").json()["items"]
    assert listed["data"] == POST
    history = api.get(f"/v1/records/{path.rpartition('/')[2]}/history").json()["items"]
    assert [row["topic"] for row in history] == ["record.updated", "record.created"]


def test_a_merge_patch_may_say_what_it_is(api: TestClient) -> None:
    path = a_record(api)
    headers = {"Content-Type": "application/merge-patch+json"}
    assert api.patch(path, content='{"title": null}', headers=headers).status_code == 200
    assert api.get(path).json()["data"] == {"content": POST["content"]}
    refused = api.post("/v1/records/post", content="{}", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (415, "media_type.unknown")


def test_a_repeated_request_makes_one_record(api: TestClient) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    assert a_record(api, **key) == a_record(api, **key)
    own = str(uuid4())
    for _ in range(2):
        reply = api.post("/v1/records/post", json={"data": POST, "id": own})
        assert (reply.status_code, reply.json()["id"]) == (201, own)
    assert len(api.get("/v1/records/post").json()["items"]) == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/records/Post", {"data": {}}, 422, "request.invalid"),
        ("POST", "/v1/records/post", {"data": []}, 422, "request.invalid"),
        ("POST", "/v1/records/post", {}, 422, "request.invalid"),
        ("POST", "/v1/records/post", {"data": {f"f{n}": n for n in range(201)}}, 422, INVALID),
        ("PATCH", "/v1/records/post/{it}", [1], 422, "request.invalid"),
        ("PATCH", "/v1/records/note/{it}", {"a": 1}, 404, "not_found"),
        ("DELETE", "/v1/records/note/{it}", None, 404, "not_found"),
        ("GET", "/v1/records/note/{it}", None, 404, "not_found"),
        ("GET", "/v1/records/post/00000000-0000-7000-8000-000000000009", None, 404, "not_found"),
    ],
)
def test_what_cannot_be_done_is_refused(
    api: TestClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    target = path.replace("{it}", a_record(api).rpartition("/")[2])
    sent = {} if body is None else {"json": body}
    reply = api.request(method, target, **sent)  # type: ignore[arg-type]  # a body, if any
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_another_tenant_sees_and_changes_nothing(api: TestClient) -> None:
    path, binding = a_record(api), bind(api)
    other = {"X-Stratal-Tenant": "someone-else"}
    for reply in (
        api.get(path, headers=other),
        api.patch(path, json={"title": "Mine"}, headers=other),
        api.delete(path, headers=other),
        api.get(binding, headers=other),
        api.post(f"{binding}/pause", json={}, headers=other),
    ):
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert api.get("/v1/records/post", headers=other).json()["items"] == []


@pytest.mark.feature("VIS-02")
def test_vis_02_what_was_called_is_told_with_the_record(api: TestClient, world: ApiWorld) -> None:
    binding = bind(api)
    path = a_record(api)
    (call,) = api.get(path).json()["calls"]
    assert (call["status"], call["finished_at"], call["record_version"]) == ("pending", None, 1)
    assert f"/v1/bindings/{call['binding_id']}" == binding
    world.work()
    told = api.get(path).json()
    assert told["data"] == POST | {"queue": "bug"}
    (call,) = told["calls"]
    run = api.get(f"/v1/executions/{call['execution_id']}").json()
    assert (run["status"], run["inputs"]["message"]) == ("completed", POST["content"])
    assert run["caller"] == {"kind": "record", "id": told["record_id"], "place": None}
    assert (call["status"], call["program_id"], call["program_version"]) == (
        "done",
        run["program_id"],
        run["program_version"],
    )
    assert api.get(f"{path}?as_of={told['position']}").json()["calls"][0]["status"] == "pending"
    (sentence,) = (
        row["sentence"] for row in api.get("/v1/audit?topic=record.updated").json()["items"]
    )
    assert sentence.startswith("Stratal stored in “queue” of record ")
    assert "gave in execution" in sentence


def test_a_call_that_failed_is_told_with_the_record(api: TestClient, world: ApiWorld) -> None:
    bind(api)
    world.runner.error = ProgramFailed(Failure(code="program.failed", message="It was too much."))
    path = a_record(api)
    try:
        world.work()
    finally:
        world.runner.error = None
    (call,) = api.get(path).json()["calls"]
    assert (call["status"], call["failure"]["code"]) == ("failed", "program.failed")
    assert api.get(path).json()["data"] == POST
    repeat = f"{path}/calls/{call['execution_id']}/repeat"
    assert api.post(repeat).status_code == 200
    refused = api.post(repeat)
    assert (refused.status_code, refused.json()["code"]) == (409, "record.call_not_failed")
    world.work()
    again, first = api.get(path).json()["calls"]
    assert (again["status"], first) == ("done", call)
    assert api.get(path).json()["data"] == POST | {"queue": "bug"}
    later = a_record(api, {"title": "No content."})
    listed = api.get("/v1/bindings/post.sort/calls?limit=1")
    assert [each["record_id"] in later for each in listed.json()["items"]] == [True]
    rest = api.get(f"/v1/bindings/post.sort/calls?cursor={listed.json()['next']}").json()
    assert (rest["items"], rest["next"]) == ([again, call], None)
    assert api.get("/v1/bindings/post.sort/calls?status=failed").json()["items"] == [call]
    assert api.get("/v1/bindings/post.sort/calls?status=done").json()["items"] == [again]


def test_a_binding_is_read_listed_changed_paused_resumed_and_removed(api: TestClient) -> None:
    path = bind(api, action="update", changed=["content"])
    told = api.get(path).json()
    assert told == api.get("/v1/bindings/post.sort").json()
    assert (told["name"], told["resource"], told["status"]) == ("post.sort", "post", "active")
    assert told["spec"]["inputs"] == {"message": {"pointer": "/content"}}
    for query, found in (
        ("resource=post", 1),
        (f"program_id={told['program_id']}&status=active", 1),
        ("resource=note", 0),
        ("status=paused", 0),
    ):
        assert len(api.get(f"/v1/bindings?{query}").json()["items"]) == found

    change = {name: BINDING[name] for name in ("program", "inputs")} | {"outputs": {"bin": "queue"}}
    assert api.post(f"{path}/change", json=change).json()["version"] == 2
    assert api.get(path).json()["spec"]["outputs"] == {"bin": "queue"}
    assert api.post("/v1/bindings/post.sort/pause", json={"reason": "dear"}).status_code == 200
    told = api.get(path).json()
    assert (told["status"], told["status_reason"]) == ("paused", "dear")
    assert api.post(f"{path}/resume").json()["version"] == 4
    assert api.get(path).json()["status_reason"] is None
    stale = api.post(f"{path}/remove", json={}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert api.post(f"{path}/remove", json={}).json()["version"] == 5
    refused = api.post(f"{path}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "binding.removed")
    rows = api.get(f"{path}/history").json()["items"]
    assert [(row["topic"], row["status"]) for row in rows] == [
        ("binding.removed", "removed"),
        ("binding.resumed", "active"),
        ("binding.paused", "paused"),
        ("binding.changed", "active"),
        ("binding.created", "active"),
    ]


def test_every_fault_of_a_binding_has_a_pointer(api: TestClient) -> None:
    a_program(api)
    body = BINDING | {
        "changed": ["content"],
        "inputs": {"text": {"pointer": "/content"}, "message": {"pointer": "content"}},
        "outputs": {"queue": "bin"},
    }
    reply = api.post("/v1/bindings", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "binding.invalid")
    assert [(fault["pointer"], fault["code"]) for fault in reply.json()["faults"]] == [
        ("/changed", "binding.changed_nothing"),
        ("/inputs/text", "binding.unknown_input"),
        ("/inputs/message/pointer", "binding.pointer_malformed"),
        ("/outputs/queue", "binding.unknown_output"),
    ]
    wrong = BINDING | {"inputs": {"message": {"from": "/content"}}}
    assert api.post("/v1/bindings", json=wrong).json()["code"] == "request.invalid"
    assert api.get("/v1/bindings/post.sort").json()["code"] == "not_found"
