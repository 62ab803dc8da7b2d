"""The typed client that is generated: what runs, and what a type checker refuses."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints
from uuid import uuid4

import pytest

from domain.run import RunStatus
from domain.signature.schemas import json_schema
from domain.signature.syntax import parse
from domain.signature.types import PRIMITIVES
from infrastructure.api.execution_views import ExecutionView
from infrastructure.client import Execution, Program, Stratal
from infrastructure.client.generator import typed_client
from tests.support.api import ApiWorld
from tests.support.postgres import copy_of
from tests.support.projecting import read_models
from tests.support.served import served

SYNTAX = (
    "message: str 'What they \"wrote\".', tone: Optional[str], limit: int = 3 "
    "-> queue: Literal['bug', 'billing'], parts: dict[str, list[int]]"
)
HOSTILE = 'x"); import os; os.abort() #'


@pytest.fixture(scope="module")
def world(cluster: str, template: str) -> Iterator[ApiWorld]:
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as models:
        yield ApiWorld(models)


@pytest.fixture(scope="module")
def url(world: ApiWorld) -> Iterator[str]:
    with served(world) as url:
        yield url


@pytest.fixture
def api(url: str) -> Iterator[Stratal]:
    with Stratal(url, f"t-{uuid4().hex}", "ada") as client:
        yield client


def loaded(text: str) -> Any:
    """The module that *text* is."""
    module = ModuleType("generated")
    exec(compile(text, "generated.py", "exec"), module.__dict__)
    return module


def test_what_a_hostile_server_says_is_no_code() -> None:
    schema = {"properties": {HOSTILE: {"type": "object", "properties": {"a": {}}}}}

    def client(word: str) -> str:
        schemas = {f"{word}{part}": schema for part in ("Inputs", "Outputs")}
        ref = {"schema": {"$ref": f"#/components/schemas/{word}Request"}}
        body = {"content": {"application/json": ref}}
        post = {"x-stratal-program": HOSTILE, "requestBody": body}
        return typed_client({"components": {"schemas": schemas}, "paths": {"/": {"post": post}}})

    for word in (HOSTILE, "A: int = 1\nclass B", "Plain"):
        calls = {
            ast.unparse(it.func)
            for it in ast.walk(ast.parse(client(word)))
            if isinstance(it, ast.Call)
        }
        assert calls <= {"Program", "TypedDict"}
    assert "Plain" in client("Plain")


def checked(folder: Path, generated: str, call: str) -> str:
    """What mypy says of *call* in a project that has the client *generated*."""
    (folder / "client.py").write_text(generated)
    (folder / "main.py").write_text(
        "from client import Programs\nfrom infrastructure.client import Stratal\n\n"
        f"triage = Programs(Stratal()).triage\n{call}\n"
    )
    options = ["--strict", "--cache-dir", str(folder.parent / "mypy")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "main.py"],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def generated(api: Stratal) -> str:
    api.programs.create("triage", SYNTAX, description="Routes.")
    return typed_client(api.get("/openapi.json"))


@pytest.mark.feature("PRG-14")
def test_prg_14_a_program_of_the_client_is_executed_and_compiled(
    api: Stratal, world: ApiWorld
) -> None:
    api.programs.create("triage", "message -> queue")
    program: Program[dict[str, str], dict[str, str]] = Program(api.programs, "triage")
    ran = program.execute({"message": "It crashes."}, program_version=1, wait_s=10)
    assert (ran["status"], ran["outputs"]) == ("completed", {"queue": "bug"})
    api.datasets.create("tickets")
    for split in ("train", "heldout"):
        api.datasets.load("tickets", [{"message": "Hi.", "queue": "bug"}], split=split)
    asked = program.compile("tickets", "exact_match", seed=7)
    world.work()
    assert api.optimizations.wait(asked["id"], timeout_s=5)["status"] == "completed"


def test_the_types_of_an_execution_are_those_of_the_api() -> None:
    hints = get_type_hints(Execution)
    assert hints.keys() == ExecutionView.model_fields.keys()
    assert set(get_args(hints["status"])) == set(RunStatus)


def test_a_generated_client_runs_the_program(generated: str, api: Stratal) -> None:
    programs = loaded(generated).Programs(api)
    ran = programs.triage.execute({"message": "It crashes.", "tone": None})
    assert (ran["status"], ran["outputs"]) == ("completed", {"queue": "bug"})


@pytest.mark.feature("SIG-29")
def test_sig_29_a_misspelt_field_in_a_call_fails_mypy(generated: str, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    fits = checked(
        folder,
        generated,
        'ran = triage.execute({"message": "Hi.", "tone": None}, wait_s=5)\n'
        'if ran["outputs"] is not None:\n    queue: str = ran["outputs"]["queue"]',
    )
    assert fits == "Success: no issues found in 1 source file\n"
    wrong = checked(
        folder,
        generated,
        'ran = triage.execute({"massage": "Hi.", "tone": None})\n'
        'triage.execute({"message": "Hi.", "tone": None, "limit": "many"})\n'
        'assert ran["outputs"] is not None\n'
        'ran["outputs"]["queu"]\n'
        'ran["outputs"]["queue"] == "sales"',
    )
    assert 'main.py:5: error: Missing key "message"' in wrong
    assert 'main.py:5: error: Extra key "massage"' in wrong
    assert 'main.py:6: error: Incompatible types (expression has type "str"' in wrong
    assert 'main.py:8: error: TypedDict "TriageOutputs" has no key "queu"' in wrong
    assert "main.py:9: error: Non-overlapping equality check" in wrong


def test_a_name_is_never_code(api: Stratal) -> None:
    for name in (HOSTILE, "class", "9 lives", "分類", "a-b", "a b"):
        api.programs.create(name, SYNTAX)
    text = typed_client(api.get("/openapi.json"))
    allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.ClassDef)
    assert all(isinstance(each, allowed) for each in ast.parse(text).body)
    programs = vars(loaded(text).Programs(api))
    named = {attribute: each.id_or_name for attribute, each in programs.items()}
    assert named["x_import_os_os_abort"] == HOSTILE
    assert named["class_"] == "class"
    assert {"9 lives", "分類", "a-b", "a b"} < set(named.values())
    assert programs["a_b"].execute({"message": "Hi.", "tone": None})["status"] == "completed"


def test_a_server_without_programs_gives_a_client_without_any(api: Stratal) -> None:
    assert vars(loaded(typed_client(api.get("/openapi.json"))).Programs(api)) == {}


def document(**schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A document of one program with these *schemas*."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/ARequest"}}}
    operation = {"x-stratal-program": "a", "requestBody": {"content": body}}
    empty: Mapping[str, Any] = {"properties": {"any": {}}}
    return {
        "paths": {"/a": {"post": operation}, "/b": {"get": {}}},
        "components": {"schemas": {"AInputs": empty, "AOutputs": empty, **schemas}},
    }


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        ({"type": "string"}, "str"),
        ({"enum": ["a", 'b"', None]}, 'Literal["a", "b\\"", None]'),
        ({"anyOf": [{"type": "number"}, {"type": "number"}, {"type": "null"}]}, "float | None"),
        ({"anyOf": [{"type": "boolean"}, {}]}, "bool | Any"),
        ({"type": "array"}, "list[Any]"),
        ({"type": "array", "items": {"type": "string"}}, "list[str]"),
        ({"type": "object"}, "dict[str, Any]"),
        ({"type": "object", "additionalProperties": True}, "dict[str, Any]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "dict[str, int]"),
    ],
)
def test_each_schema_is_a_type(schema: Mapping[str, Any], hint: str) -> None:
    field = {"type": "object", "properties": {"field": schema}, "required": ["field"]}
    assert f"\n    field: {hint}\n" in typed_client(document(AInputs=field))


def test_objects_have_types_of_their_own(api: Stratal) -> None:
    api.programs.create(
        "atlas",
        "city: object{name: str, twin: object{name: str}} -> cities: list[object{name: str}]",
    )
    text = typed_client(api.get("/openapi.json"))
    loaded(text)
    assert "    city: AtlasInputs_city\n" in text
    assert (
        "class AtlasInputs_city(TypedDict):\n    name: str\n    twin: AtlasInputs_city_twin\n"
        in text
    )
    assert "class AtlasInputs_city_twin(TypedDict):\n    name: str\n" in text
    assert "    cities: list[AtlasOutputs_cities]\n" in text


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_type_of_a_signature_is_a_type_of_python(name: str) -> None:
    spec = parse(f"field: {name} -> answer")
    text = typed_client(document(AInputs=json_schema(spec.inputs)))
    (field,) = re.findall(r"^    field: (.+)$", text, re.MULTILINE)
    assert (field == "Any") == (name == "any")


def test_no_two_objects_have_one_name() -> None:
    inner = {"type": "object", "properties": {"c": {}}}
    outer = {"type": "object", "properties": {"b": inner}}
    text = typed_client(document(AInputs={"properties": {"a": outer, "a_b": inner}}))
    assert "    a_b: NotRequired[AInputs_a_b_]\n" in text
    assert vars(loaded(text)).keys() > {"AInputs_a", "AInputs_a_b", "AInputs_a_b_"}


def test_fields_that_no_class_can_have_are_told_as_keys() -> None:
    odd = {"type": "object", "properties": {"class": {"type": "string"}, "a-b": {}}}
    module = loaded(typed_client(document(AInputs=odd)))
    assert module.AInputs.__annotations__.keys() == {"class", "a-b"}
