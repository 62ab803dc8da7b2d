"""Each program's own types in the OpenAPI document, and inputs that do not fit them."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from application.context import Context
from application.programs import ArchiveProgram, RestoreProgram
from application.versions import ReviseProgram
from domain.signature.syntax import parse
from infrastructure.api import openapi
from infrastructure.api.typed_paths import with_types
from projections.program_types import ProgramTypes
from tests.support.access import EVERY_ROLE
from tests.support.api import SYNTAX, ApiWorld
from tests.support.openapi_rules import broken

RICH = (
    "message: str, share: probability, tags: list[str], limit: int = 3, tone: Optional[str] "
    "-> queue: Literal['bug', 'billing'], parts: dict[str, list[int]]"
)
ODD = ("blog-summarizer", "Blog Summarizer", "50% off?", "{program}", "分類", "a#b&c=d", "new", "…")


def a_program(api: TestClient, name: str, syntax: str = SYNTAX, **more: object) -> str:
    modules = [{"kind": "predict", "signature_syntax": syntax}]
    reply = api.post("/v1/programs", json={"name": name, "modules": modules, **more})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def document_of(api: TestClient, query: str = "") -> dict[str, Any]:
    reply = api.get(f"/openapi.json{query}")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def context_of(api: TestClient) -> Context:
    """For what is not over HTTP."""
    return Context(
        tenant=api.headers["X-Stratal-Tenant"],
        actor="ann",
        correlation_id=UUID(int=1),
        roles=EVERY_ROLE,
    )


def typed(document: dict[str, Any]) -> dict[str, str]:
    """The path of each program that the document types, by name."""
    return {
        operation["x-stratal-program"]: path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if "x-stratal-program" in operation
    }


def fits(document: dict[str, Any], name: str, value: object) -> bool:
    """Whether *value* is one of the component *name*."""
    base = Resource.from_contents(document, default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:document", base)
    schema = {"$ref": f"urn:document#/components/schemas/{name}"}
    return bool(Draft202012Validator(schema, registry=registry).is_valid(value))


@pytest.mark.feature("SIG-29")
def test_sig_29_a_new_program_has_its_types_in_the_document_under_its_own_path(
    api: TestClient,
) -> None:
    before = document_of(api)
    assert typed(before) == {}
    a_program(api, "triage", RICH, description="Route it.")
    document = document_of(api)
    assert typed(document) == {"triage": "/v1/programs/triage/execute"}
    operation = document["paths"]["/v1/programs/triage/execute"]["post"]
    assert operation["description"] == "Route it."
    inputs = document["components"]["schemas"]["TriageInputs"]
    assert inputs["properties"]["share"] == {"maximum": 1, "minimum": 0, "type": "number"}
    assert inputs["properties"]["limit"]["default"] == 3
    assert inputs["required"] == ["message", "share", "tags", "tone"]
    assert inputs["additionalProperties"] is False
    outputs = document["components"]["schemas"]["TriageOutputs"]
    assert outputs["required"] == ["queue", "parts"]
    assert set(before["paths"]) == set(document["paths"]) - {"/v1/programs/triage/execute"}


def test_a_default_beyond_64_bits_is_told_as_it_is(api: TestClient) -> None:
    a_program(api, "big", f"message: str, limit: int = {10**30} -> queue: str")
    inputs = document_of(api)["components"]["schemas"]["BigInputs"]
    assert inputs["properties"]["limit"]["default"] == 10**30


def test_what_is_asked_and_given_fits_the_types(api: TestClient, world: ApiWorld) -> None:
    a_program(api, "triage")
    document = document_of(api)
    body: dict[str, Any] = {"inputs": {"message": "It crashes."}}
    assert fits(document, "TriageRequest", body)
    assert not fits(document, "TriageRequest", {"inputs": {"massage": "It crashes."}})
    ran = api.post(typed(document)["triage"], json=body).json()
    assert fits(document, "TriageExecution", ran)
    assert not fits(document, "TriageExecution", ran | {"outputs": {"queue": "sales"}})
    world.has_worker = False
    waiting = api.post(f"{typed(document)['triage']}?wait=0", json=body).json()
    assert waiting["outputs"] is None
    assert fits(document, "TriageExecution", waiting)
    world.work()


def test_every_name_has_a_path_that_leads_to_it(api: TestClient) -> None:
    ids = {name: a_program(api, name) for name in ODD}
    document = document_of(api)
    assert list(broken(document)) == []
    paths = typed(document)
    assert paths.keys() == ids.keys()
    for name, path in paths.items():
        ran = api.post(path, json={"inputs": {"message": "Hi."}})
        assert (ran.status_code, ran.json()["program_id"]) == (200, ids[name])


def test_of_names_with_one_word_the_oldest_has_it(api: TestClient) -> None:
    a_program(api, "blog-summarizer")
    word = "#/components/schemas/BlogSummarizerRequest"
    for newer in ("Blog Summarizer", "blog_summarizer"):
        a_program(api, newer)
        paths = document_of(api)["paths"]
        body = paths["/v1/programs/blog-summarizer/execute"]["post"]["requestBody"]
        assert body["content"]["application/json"]["schema"]["$ref"] == word


def test_a_program_out_of_service_is_not_told(api: TestClient) -> None:
    for name in ("triage", "other"):
        a_program(api, name)
    api.post("/v1/programs/triage/retire", json={})
    assert typed(document_of(api)).keys() == {"other"}


def test_the_types_are_those_of_the_version_that_runs(api: TestClient, world: ApiWorld) -> None:
    program = UUID(a_program(api, "triage", "a -> b"))
    api.post("/v1/programs/triage/testing", json={})
    api.post("/v1/programs/triage/deploy", json={})
    modules = ({"kind": "predict", "signature_syntax": "other -> b"},)
    revision = ReviseProgram.model_validate({"program_id": program, "modules": modules})
    world.dispatch(revision, context_of(api))
    assert document_of(api)["components"]["schemas"]["TriageInputs"]["required"] == ["a"]
    assert api.post("/v1/programs/triage/execute", json={"inputs": {"a": "x"}}).status_code == 200
    api.post("/v1/programs/triage/deploy", json={})
    assert document_of(api)["components"]["schemas"]["TriageInputs"]["required"] == ["other"]
    assert api.post("/v1/programs/triage/execute", json={"inputs": {"a": "x"}}).status_code == 422


def test_a_program_in_the_archive_is_not_told(api: TestClient, world: ApiWorld) -> None:
    context, program = context_of(api), UUID(a_program(api, "triage"))
    world.dispatch(ArchiveProgram(program_id=program), context)
    assert typed(document_of(api)) == {}
    world.dispatch(RestoreProgram(program_id=program), context)
    assert typed(document_of(api)).keys() == {"triage"}


def test_the_programs_of_others_are_not_told(api: TestClient, world: ApiWorld) -> None:
    a_program(api, "triage")
    with world.client("somebody-else") as other:
        assert typed(document_of(other)) == {}
        assert document_of(other)["paths"].keys() == world.app().openapi()["paths"].keys()


def test_a_document_is_made_once_for_each_state_of_the_programs(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(document: dict[str, Any], programs: list[ProgramTypes]) -> dict[str, Any]:
        made.append(len(programs))
        return with_types(document, programs)

    monkeypatch.setattr(openapi, "with_types", counted)
    a_program(api, "triage")
    first = api.get("/openapi.json")
    api.post("/v1/programs/triage/execute", json={"inputs": {"message": "Hi."}})
    assert api.get("/openapi.json").headers["ETag"] == first.headers["ETag"]
    assert made == [1]
    same = api.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    a_program(api, "other")
    assert typed(document_of(api)).keys() == {"triage", "other"}
    assert made == [1, 2]


def test_only_the_programs_that_were_named_are_told(api: TestClient) -> None:
    for name in ("one", "two", "three"):
        a_program(api, name)
    assert typed(document_of(api, "?program=two&program=one")).keys() == {"one", "two"}
    assert typed(document_of(api, "?program=nobody")) == {}


def test_the_newest_are_told_when_there_are_too_many(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openapi, "MOST_PROGRAMS", 2)
    for name in ("one", "two", "three"):
        a_program(api, name)
    document = document_of(api)
    assert typed(document).keys() == {"two", "three"}
    assert "the newest 2 of 3 programs" in document["info"]["description"]
    assert typed(document_of(api, "?program=one")).keys() == {"one"}


def test_a_thousand_programs_make_a_document_of_some_megabytes() -> None:
    signature = parse(RICH).model_dump_json()
    programs = [
        ProgramTypes(
            program_id=UUID(int=number),
            name=f"program-{number}",
            description="Routes it.",
            signature=signature,
        )
        for number in range(openapi.MOST_PROGRAMS)
    ]
    document = with_types(ApiWorld().app().openapi(), programs)
    assert len(typed(document)) == 1000
    assert len(orjson.dumps(document)) < 5_000_000


def test_documents_that_nobody_asks_for_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "_KEPT_BYTES", 20)
    documents = openapi.Documents()
    for tenant in ("a", "b"):
        documents.keep((tenant, ()), "1", b"x" * 8)
    assert documents.get(("a", ()), "1") == b"x" * 8
    documents.keep(("c", ()), "1", b"x" * 8)
    assert documents.get(("b", ()), "1") is None
    assert documents.get(("a", ()), "1") is not None
    assert documents.get(("a", ()), "2") is None


def test_the_document_of_the_past_has_the_programs_of_the_past(api: TestClient) -> None:
    a_program(api, "triage")
    position = api.get("/v1/audit").json()["items"][0]["position"]
    a_program(api, "other")
    assert typed(document_of(api, f"?as_of={position}")).keys() == {"triage"}


@pytest.mark.parametrize("by", ["name", "id"])
def test_inputs_are_refused_with_every_fault_at_once_before_anything_is_stored_or_called(
    api: TestClient, world: ApiWorld, by: str
) -> None:
    program = a_program(api, "triage", RICH)
    path = f"/v1/programs/{'triage' if by == 'name' else program}/execute"
    before = (len(world.log.recorded), len(world.payloads), len(world.runner.made))
    wrong = {"share": 1.5, "tags": ["a", 7, None], "limit": "many", "tone": {}, "color": "red"}
    reply = api.post(path, json={"inputs": wrong})
    assert (reply.status_code, reply.json()["code"]) == (422, "values.invalid")
    faults = {(fault["pointer"], fault["code"]) for fault in reply.json()["faults"]}
    assert faults == {
        ("/inputs/message", "value.missing"),
        ("/inputs/share", "value.invalid"),
        ("/inputs/tags/1", "value.invalid"),
        ("/inputs/tags/2", "value.invalid"),
        ("/inputs/limit", "value.invalid"),
        ("/inputs/tone", "value.invalid"),
        ("/inputs/color", "value.unknown"),
    }
    assert before == (len(world.log.recorded), len(world.payloads), len(world.runner.made))


def test_a_path_holds_any_name_in_percent_encoding(api: TestClient) -> None:
    for name in ODD:
        a_program(api, name)
        assert api.get(f"/v1/programs/{quote(name, safe='')}").json()["name"] == name
