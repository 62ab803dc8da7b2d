"""The OpenAPI document with each program's own types, as the concrete path of its execution."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from domain.signature.fields import SignatureSpec
from domain.signature.schemas import json_schema
from infrastructure.called import Words
from projections.program_types import ProgramTypes

Schema = dict[str, Any]

_TEMPLATE: Final = "/v1/programs/{program}/execute"
_SCHEMAS: Final = "#/components/schemas/"
_PARTS: Final = ("Inputs", "Outputs", "Execution", "Request")


@dataclass(frozen=True, slots=True)
class _Typed:
    """A program under the word that its types are called by."""

    program: ProgramTypes
    word: str

    @property
    def path(self) -> str:
        return f"/v1/programs/{quote(self.program.name, safe='')}/execute"

    @property
    def operation_id(self) -> str:
        return f"execute{self.word}"


def with_types(document: Schema, programs: Sequence[ProgramTypes]) -> Schema:
    """*document*, which stays as it is, with a path and types for each of *programs*.

    The path is no other route: it is ``execute`` of that program, told with its own types. A word
    made of the name calls them; of several programs with the same word the first one has it.
    """
    components = document["components"]
    schemas, paths = dict(components["schemas"]), dict(document["paths"])
    for typed in _called(programs, schemas):
        schemas.update(_schemas(typed, components["schemas"]))
        paths[typed.path] = {"post": _operation(typed, document["paths"][_TEMPLATE]["post"])}
    return document | {"paths": paths, "components": components | {"schemas": schemas}}


def _called(programs: Sequence[ProgramTypes], schemas: Schema) -> Iterator[_Typed]:
    taken = {name.casefold() for name in schemas}
    words = Words("Program", lambda word: (word + part for part in _PARTS), taken)
    return (_Typed(program, words.word(program.name)) for program in programs)


def _schemas(typed: _Typed, fixed: Schema) -> Iterator[tuple[str, Schema]]:
    word, name = typed.word, typed.program.name
    inputs, outputs = _fields(typed.program.signature)
    yield f"{word}Inputs", inputs | _told(f"{word}Inputs", f"What {name} takes.")
    yield f"{word}Outputs", outputs | _told(f"{word}Outputs", f"What {name} gives.")
    asked = fixed["NewExecution"]
    parts = asked["properties"] | {"inputs": {"$ref": f"{_SCHEMAS}{word}Inputs"}}
    yield f"{word}Request", asked | {"properties": parts, "title": f"{word}Request"}
    given = {"anyOf": [{"$ref": f"{_SCHEMAS}{word}Outputs"}, {"type": "null"}]}
    yield (
        f"{word}Execution",
        {
            "allOf": [
                {"$ref": f"{_SCHEMAS}ExecutionView"},
                {"type": "object", "properties": {"outputs": given}},
            ],
            "title": f"{word}Execution",
        },
    )


@lru_cache(maxsize=4096)
def _fields(signature: str) -> tuple[Schema, Schema]:
    """The schemas of both sides of *signature*; outputs are complete whenever there are any."""
    spec = SignatureSpec.model_validate_json(signature)
    inputs, outputs = json_schema(spec.inputs), json_schema(spec.outputs)
    for schema in (inputs, outputs):
        del schema["$schema"]
    return inputs, outputs | {"required": list(outputs["properties"])}


def _operation(typed: _Typed, fixed: Schema) -> Schema:
    word, program = typed.word, typed.program
    parameters = [each for each in fixed["parameters"] if each.get("name") != "program"]
    replies = {
        status: reply | {"content": _content(f"{word}Execution")} if status[0] == "2" else reply
        for status, reply in fixed["responses"].items()
    }
    return fixed | {
        "operationId": typed.operation_id,
        "summary": f"Execute {program.name}",
        "description": program.description or fixed["description"],
        "parameters": parameters,
        "requestBody": {"required": True, "content": _content(f"{word}Request")},
        "responses": replies,
        "x-stratal-program": program.name,
    }


def _told(title: str, description: str) -> Schema:
    return {"title": title, "description": description}


def _content(schema: str) -> Schema:
    return {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{schema}"}}}
