"""What all resources have in common: made, read, listed, told of, and made only once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from application.commands import Command
from docs.generators.messages import commands
from docs.generators.packages import classes, leaves
from tests.support.api import SYNTAX, ApiWorld, a_dataset

KINDS = (
    "signatures",
    "modules",
    "programs",
    "datasets",
    "executions",
    "optimizations",
    "evaluations",
)
RUNS = ("executions", "optimizations", "evaluations")
PREDICT = [{"kind": "predict", "signature_syntax": SYNTAX}]
RUN = {"dataset": "tickets", "metric": "exact_match"}


def wishes(made: Mapping[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Where to ask for one of each kind, and with what, given those that were *made* before."""
    signature = made.get("signatures", "")
    return {
        "signatures": ("/v1/signatures", {"name": "route", "syntax": SYNTAX}),
        "modules": (
            "/v1/modules",
            {"name": "router", "kind": "predict", "signature_id": signature},
        ),
        "programs": ("/v1/programs", {"name": "triage", "modules": PREDICT}),
        "datasets": ("/v1/datasets", {"name": "rows"}),
        "executions": ("/v1/programs/triage/execute", {"inputs": {"message": "Hi."}}),
        "optimizations": ("/v1/programs/triage/compile", RUN),
        "evaluations": ("/v1/programs/triage/evaluate", RUN),
    }


def one_of_each(api: TestClient) -> dict[str, str]:
    """The id of one of each kind."""
    a_dataset(api, "tickets")
    made: dict[str, str] = {}
    for kind in KINDS:
        path, body = wishes(made)[kind]
        reply = api.post(path, json=body)
        assert reply.status_code in (200, 201, 202), reply.text
        made[kind] = reply.json().get("id") or reply.json()["execution_id"]
    return made


@pytest.mark.feature("VIS-12")
def test_vis_12_each_kind_is_made_read_listed_and_told_of(api: TestClient, world: ApiWorld) -> None:
    made = one_of_each(api)
    world.work()
    for kind, thing in made.items():
        asked = {
            "read": api.get(f"/v1/{kind}/{thing}"),
            "listed": api.get(f"/v1/{kind}"),
            "history": api.get(f"/v1/{kind}/{thing}/history"),
            "events": api.get(f"/v1/events?topic={kind[:-1]}.*"),
            "audit": api.get(f"/v1/audit?aggregate_id={thing}"),
        }
        assert {name: reply.status_code for name, reply in asked.items()} == dict.fromkeys(
            asked, 200
        )
        for name in ("listed", "history", "events", "audit"):
            assert asked[name].json()["items"], f"{kind}: {name}"
        assert asked["read"].headers["ETag"]


@pytest.mark.feature("VIS-12")
def test_vis_12_the_document_has_these_routes_for_every_kind(world: ApiWorld) -> None:
    paths = world.app().openapi()["paths"]
    for kind in KINDS:
        one = f"/v1/{kind}/{{{kind[:-1]}"
        assert "get" in paths[f"/v1/{kind}"]
        assert any(path.startswith(one) and path.endswith("}") for path in paths), kind
    assert "get" in paths["/v1/{resource}/{thing}/history"]


@pytest.mark.feature("VIS-29")
def test_vis_29_everything_has_an_id_and_says_when_it_was_made_and_last_changed(
    api: TestClient, world: ApiWorld
) -> None:
    made = one_of_each(api)
    world.work()
    for kind, thing in made.items():
        began = "requested_at" if kind in RUNS else "created_at"
        (listed,) = (row for row in api.get(f"/v1/{kind}").json()["items"] if thing in row.values())
        for row in (listed, api.get(f"/v1/{kind}/{thing}").json()):
            assert row[f"{kind[:-1]}_id"] == thing
            events = api.get(f"/v1/audit?aggregate_id={thing}&order=oldest").json()["items"]
            assert (row[began], row["updated_at"]) == (events[0]["at"], events[-1]["at"])


@pytest.mark.feature("VIS-29")
@pytest.mark.parametrize("kind", KINDS)
def test_vis_29_an_id_that_was_used_before_gives_the_same_thing(
    api: TestClient, world: ApiWorld, kind: str
) -> None:
    path, wish = wishes(one_of_each(api))[kind]
    body = wish | {"id": str(uuid4())} | ({"name": "another"} if "name" in wish else {})
    first = api.post(path, json=body)
    events = len(world.log.recorded)
    again = api.post(path, json=body)
    assert again.json() == first.json()
    assert again.status_code == first.status_code
    assert again.headers["Location"] == first.headers["Location"]
    assert len(world.log.recorded) == events


@pytest.mark.feature("VIS-29")
def test_vis_29_an_id_of_something_else_is_refused(api: TestClient) -> None:
    body = {"name": "route", "syntax": SYNTAX, "id": str(uuid4())}
    api.post("/v1/signatures", json=body)
    for path, other in (
        ("/v1/signatures", body | {"name": "other"}),
        ("/v1/datasets", {"name": "rows", "id": body["id"]}),
    ):
        reply = api.post(path, json=other)
        assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_key.reused")


@pytest.mark.feature("SIG-27")
def test_sig_27_a_new_signature_is_predicted_with_at_once_over_a_typed_path(
    api: TestClient, world: ApiWorld
) -> None:
    signature = api.post("/v1/signatures", json={"name": "route", "syntax": SYNTAX}).json()["id"]
    modules = [{"kind": "predict", "signature_id": signature}]
    program = api.post("/v1/programs", json={"name": "route", "modules": modules}).json()["id"]
    assert "post" in api.get("/openapi.json").json()["paths"]["/v1/programs/route/execute"]
    made = api.post("/v1/programs/route/execute", json={"inputs": {"message": "Hi."}})
    assert made.json()["outputs"] == {"queue": "bug"}
    (listed,) = api.get(f"/v1/executions?program_id={program}").json()["items"]
    assert listed["execution_id"] == made.json()["execution_id"]
    found = api.get(f"/v1/executions/{listed['execution_id']}").json()
    assert (found["inputs"], found["outputs"]) == ({"message": "Hi."}, {"queue": "bug"})


@pytest.mark.feature("VIS-27")
def test_vis_27_a_signature_in_use_is_not_retired_and_its_users_are_named(api: TestClient) -> None:
    signature = api.post("/v1/signatures", json={"name": "route", "syntax": SYNTAX}).json()["id"]
    for name in ("router", "second"):
        api.post("/v1/modules", json={"name": name, "kind": "predict", "signature_id": signature})
    refused = api.post("/v1/signatures/route/retire", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "signature.in_use")
    assert "second, router" in refused.json()["detail"]
    for name in ("router", "second"):
        api.post(f"/v1/modules/{name}/retire", json={})
    assert api.post("/v1/signatures/route/retire", json={}).status_code == 200


def handlers() -> dict[type[Command], list[str]]:
    """The handlers of each command, as the application declares them."""
    found: dict[type[Command], list[str]] = {each: [] for each in leaves(Command, "application")}
    for owner in classes("application"):
        for name, method in vars(owner).items():
            if command := getattr(method, "__handles__", None):
                found[command].append(f"{owner.__name__}.{name}")
    return found


@pytest.mark.feature("VIS-30")
def test_vis_30_the_registry_of_commands_is_the_table_of_the_docs() -> None:
    rows = {line.split("`")[1] for line in commands().splitlines() if line.startswith("| `")}
    assert {command.__name__ for command in handlers()} == rows
    assert all(command.model_json_schema()["properties"] for command in handlers())


@pytest.mark.feature("BRG-02")
def test_brg_02_every_action_is_a_command_with_one_handler() -> None:
    assert {command.__name__: len(found) for command, found in handlers().items()} == {
        command.__name__: 1 for command in handlers()
    }


@pytest.mark.feature("BRG-06")
def test_brg_06_an_unknown_command_is_a_typed_refusal(api: TestClient) -> None:
    reply = api.post("/v1/programs/triage/explode", json={})
    assert (reply.status_code, reply.json()["code"]) == (404, "route.unknown")


@pytest.mark.feature("BRG-19")
@pytest.mark.parametrize("kind", KINDS)
def test_brg_19_what_is_not_there_is_not_found(api: TestClient, kind: str) -> None:
    for path in (f"/v1/{kind}/{uuid4()}", f"/v1/{kind}/{uuid4()}/history"):
        reply = api.get(path)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    reply = api.post(f"/v1/programs/{UUID(int=7)}/execute", json={"inputs": {}})
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
