"""Writes a typed client: a module with a class for what each program takes and gives."""

import json
import re
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any, Final, cast

Schema = Mapping[str, Any]

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_HEAD: Final = '''"""The programs of a Stratal server, typed.

Made by `stratal client generate`. Do not edit it: make it again when programs have changed.
"""
# ruff: noqa

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from infrastructure.client import Program, Stratal
'''
_CLASS: Final = '''class Programs:
    """What the server can run: ``Programs(Stratal(url)).<program>.execute({...})``."""

    def __init__(self, api: Stratal) -> None:'''
_PLAIN: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "array": "list[Any]",
    "object": "dict[str, Any]",
}


def typed_client(document: Mapping[str, Any]) -> str:
    """The text of a Python module for the programs of an OpenAPI *document* of the API."""
    schemas: Mapping[str, Schema] = document["components"]["schemas"]
    programs = typed_programs(document)
    classes = [
        _typed_dict(name, schemas[name])
        for word in programs.values()
        for side in ("Inputs", "Outputs")
        for name in _family(f"{word}{side}", schemas)
    ]
    attributes = "\n".join(_attributes(programs)) or "        del api"
    return "\n\n".join([_HEAD, *classes, f"{_CLASS}\n{attributes}\n"])


def typed_programs(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Each program of an OpenAPI *document* by name, with the word that its types begin with."""
    found: dict[str, str] = {}
    for operations in document["paths"].values():
        for operation in operations.values():
            if "x-stratal-program" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                word = body.rpartition("/")[2].removesuffix("Request")
                found[operation["x-stratal-program"]] = word
    return found


def _family(name: str, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """The schemas that belong to *name*, it itself last."""
    yield from sorted(each for each in schemas if each.startswith(f"{name}_"))
    yield name


def _attributes(programs: Mapping[str, str]) -> Iterator[str]:
    taken: set[str] = set()
    for name, word in programs.items():
        attribute = "_".join(_WORD.findall(name)).lower()
        if attribute in taken or not attribute.isidentifier():
            attribute = word.lower()
        if iskeyword(attribute):
            attribute += "_"
        taken.add(attribute)
        typed = f"Program[{word}Inputs, {word}Outputs]"
        yield f"        self.{attribute}: {typed} = Program(api.programs, {_text(name)})"


def _typed_dict(name: str, schema: Schema) -> str:
    word, about = _identifier(name), _text(schema.get("description", name))
    if "properties" not in schema:  # a definition that is no object
        return f"{word} = {_text(_type(schema))}  # {about}\n"
    fields = dict(_fields(schema))
    if not all(_is_plain(field) for field in fields):
        items = "".join(f"    {_text(field)}: {_text(each)},\n" for field, each in fields.items())
        return f'{word} = TypedDict("{word}", {{\n{items}}})\n'
    lines = [f"class {word}(TypedDict):", f"    {about}", ""]
    for field, each in fields.items():
        lines.append(f"    {field}: {each}")
        if description := schema["properties"][field].get("description"):
            lines.append(f"    {_text(description)}")
    return "\n".join(lines) + "\n"


def _fields(schema: Schema) -> Iterator[tuple[str, str]]:
    required = schema.get("required", ())
    for field, each in schema["properties"].items():
        found = _type(each)
        yield field, found if field in required else f"NotRequired[{found}]"


def _type(schema: Schema) -> str:
    """The type of the values that *schema* describes, as Python writes it."""
    match schema:
        case {"$ref": str() as ref}:
            return _identifier(ref.rpartition("/")[2])
        case {"const": value}:
            return f"Literal[{_literal(value)}]"
        case {"enum": [*values]}:
            return f"Literal[{', '.join(map(_literal, cast('list[object]', values)))}]"
        case {"anyOf": [*options]} | {"oneOf": [*options]}:
            return " | ".join(dict.fromkeys(map(_type, cast("list[Schema]", options))))
        case {"type": [*names]}:
            return " | ".join(_type({**schema, "type": name}) for name in names)
        case {"type": "array", "items": dict()}:
            return f"list[{_type(schema['items'])}]"
        case {"type": "object", "additionalProperties": dict()}:
            return f"dict[str, {_type(schema['additionalProperties'])}]"
        case {"type": str() as name}:
            return _PLAIN[name]
        case _:
            return "Any"


def _is_plain(field: str) -> bool:
    """Whether *field* can be written as an attribute of a class."""
    return field.isidentifier() and not iskeyword(field) and not field.startswith("__")


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _literal(value: object) -> str:
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """*text* as a Python string on one line."""
    return json.dumps(text, ensure_ascii=False)
