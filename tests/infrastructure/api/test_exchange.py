"""Programs taken from one place to another: the same bytes, and nothing that could do harm."""

import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.payloads import canonical_json
from tests.support.api import ApiWorld, a_dataset, a_program

Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def whole(api: TestClient, world: ApiWorld) -> dict[str, Any]:
    """The export of a program with a version of every origin, whose states fit it."""
    a_program(api)
    body = {"dataset": a_dataset(api), "metric": "exact_match"}
    assert api.post("/v1/programs/triage/compile", json=body).status_code == 202
    world.work()
    module = {"kind": "chain_of_thought", "signature_syntax": "message -> queue, why"}
    assert api.post("/v1/programs/triage/revise", json={"modules": [module]}).status_code == 200
    said = {"chain_of_thought.predict": {"instructions": "Be brief.", "demos": [{"why": "So."}]}}
    assert api.post("/v1/programs/triage/edit", json={"predictors": said}).status_code == 200
    assert api.post("/v1/programs/triage/versions/1/restore", json={}).status_code == 200
    document: dict[str, Any] = api.get("/v1/programs/triage/export").json()
    # The scripted optimizer finds a state that is none of DSPy's.
    for version in document["versions"]:
        if version["state"] is not None:
            version["state"] = {"predict": STATE}
    return signed(document)


STATE = {
    "traces": [],
    "train": [],
    "demos": [{"message": "It crashes.", "queue": "bug", "augmented": True}],
    "signature": {
        "instructions": "Route it.",
        "fields": [
            {"prefix": "Message:", "description": "${message}"},
            {"prefix": "Queue:", "description": "${queue}"},
        ],
    },
    "lm": None,
}


def signed(document: dict[str, Any]) -> dict[str, Any]:
    """*document* with the digest of what it says now."""
    rest = {name: value for name, value in document.items() if name != "digest"}
    return rest | {"digest": hashlib.sha256(canonical_json(rest)).hexdigest()}


def taken_in(world: ApiWorld, document: object) -> TestClient:
    """The API of another tenant, who imported *document*."""
    elsewhere = world.client(f"t-{uuid4().hex}")
    reply = elsewhere.post("/v1/programs/import", json=document)
    assert reply.status_code == 201, reply.text
    return elsewhere


@pytest.mark.feature("PRG-23")
def test_prg_23_an_export_that_was_imported_is_exported_in_the_same_bytes(
    world: ApiWorld, whole: dict[str, Any]
) -> None:
    elsewhere = taken_in(world, whole)
    again = elsewhere.get("/v1/programs/triage/export")
    assert canonical_json(again.json()) == canonical_json(whole)
    third = taken_in(world, again.json())
    assert third.get("/v1/programs/triage/export").content == again.content
    origins = [each["origin"] for each in third.get("/v1/programs/triage/versions").json()["items"]]
    assert origins == ["restored", "edited", "revised", "compiled", "written"]


@pytest.mark.feature("PRG-23")
def test_prg_23_what_was_imported_is_told_what_it_was_told(
    world: ApiWorld, whole: dict[str, Any]
) -> None:
    elsewhere = taken_in(world, whole)
    (found,) = elsewhere.get("/v1/programs/triage/predictors?version=2").json()["items"]
    assert found["learned_prompt"] == "Route it."
    assert found["few_shot_examples"] == STATE["demos"]
    (edited,) = elsewhere.get("/v1/programs/triage/predictors?version=4").json()["items"]
    assert edited["learned_prompt"] == "Be brief."


@pytest.mark.feature("PRG-23")
def test_prg_23_an_export_holds_no_ids_and_no_tenant(
    api: TestClient, whole: dict[str, Any]
) -> None:
    text = json.dumps(whole)
    for thing in ("programs", "datasets", "optimizations"):
        for each in api.get(f"/v1/{thing}").json()["items"]:
            assert each[f"{thing[:-1]}_id"] not in text
    assert api.headers["X-Stratal-Tenant"] not in text


def test_it_is_imported_under_another_name(api: TestClient, whole: dict[str, Any]) -> None:
    taken = api.post("/v1/programs/import", json=whole)
    assert (taken.status_code, taken.json()["code"]) == (409, "name.taken")
    assert api.post("/v1/programs/import?name=copy", json=whole).status_code == 201
    assert api.get("/v1/programs/copy").json()["latest_version"] == 5


def version(number: int, **changes: Any) -> Spoil:
    return lambda document: document["versions"][number - 1].update(changes)


def state(**changes: Any) -> Spoil:
    return lambda document: document["versions"][1]["state"]["predict"].update(changes)


HOSTILE: dict[str, Spoil] = {
    "a model with an address": state(lm={"model": "x", "api_base": "http://evil"}),
    "an attribute for the loader": state(forward="import os"),
    "a path": state(traces=["../../etc/passwd"]),
    "a class": state(signature={"__class__": "os.system"}),
    "demos that are none": state(demos="x"),
    "the state of another program": version(2, state={"other": STATE}),
    "a state with another field": state(
        signature={"instructions": "x", "fields": [{"prefix": "a", "description": "b"}]}
    ),
    "edits of nobody": version(4, edits={"nobody": {"instructions": "x"}}),
    "an edit that sets a model": version(4, edits={"chain_of_thought.predict": {"lm": "x"}}),
    "an endpoint": lambda document: document.update(api_base="http://evil"),
    "a key of a version": version(2, module="os"),
    "a version of the future": version(2, base_version=3),
    "a hole in the versions": version(2, version=7),
    "a first version that was compiled": version(1, origin="compiled"),
    "a compiled version with a graph": lambda document: document["versions"][1].update(
        graph=document["versions"][0]["graph"]
    ),
    "a written version with a state": version(3, state={"predict": STATE}),
    "another format": lambda document: document.update(format="pickle"),
    "a format of the future": lambda document: document.update(format_version=2),
    "no versions": lambda document: document.update(versions=[]),
    "a graph that cannot run": lambda document: document["versions"][0]["graph"].update(outputs={}),
    "a kind that is none": lambda document: document["versions"][0]["graph"]["nodes"][0][
        "module"
    ].update(kind="os.system"),
    "an optimizer that is none": lambda document: document.update(default_optimizer="magic"),
    "a text that cannot be stored": lambda document: document.update(description="\x00"),
    "an id for a name": lambda document: document.update(name=str(uuid4())),
    "a deep nest": lambda document: document.update(config=_nested(80)),
}


def _nested(levels: int) -> dict[str, Any]:
    return {"a": _nested(levels - 1)} if levels else {}


@pytest.mark.feature("PRG-23")
@pytest.mark.parametrize("what", HOSTILE)
def test_prg_23_a_hostile_document_is_refused_and_leaves_nothing(
    world: ApiWorld, whole: dict[str, Any], what: str
) -> None:
    document = deepcopy(whole)
    HOSTILE[what](document)
    document = signed(document)
    before = len(world.log.recorded), len(world.payloads)
    with world.client(f"t-{uuid4().hex}") as elsewhere:
        reply = elsewhere.post("/v1/programs/import", json=document)
    assert reply.status_code == 422, what
    assert reply.json()["faults"]
    assert (len(world.log.recorded), len(world.payloads)) == before


@pytest.mark.feature("PRG-23")
def test_prg_23_a_document_that_was_changed_is_refused(
    api: TestClient, whole: dict[str, Any]
) -> None:
    whole["versions"][0]["graph"]["nodes"][0]["module"]["config"]["temperature"] = 1.5
    reply = api.post("/v1/programs/import?name=copy", json=whole)
    assert (reply.status_code, reply.json()["code"]) == (422, "import.digest_wrong")
