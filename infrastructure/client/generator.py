"""Writes a typed client: a module with a class for what each program takes and gives."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
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
    programs, classes = typed_programs(document), _Classes()
    for word in programs.values():
        for name in (f"{word}Inputs", f"{word}Outputs"):
            classes.add(name, schemas[name])
    attributes = "\n".join(_attributes(programs)) or "        del api"
    return "\n\n".join([_HEAD, *classes.texts, f"{_CLASS}\n{attributes}\n"])


def typed_programs(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Each program of an OpenAPI *document* by name, with the word that its types begin with."""
    found: dict[str, str] = {}
    for operations in document["paths"].values():
        for operation in operations.values():
            if "x-stratal-program" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                word = body.rpartition("/")[2].removesuffix("Request")
                if _WORD.fullmatch(word):  # whatever a server says, it writes no code here
                    found[operation["x-stratal-program"]] = word
    return found


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


class _Classes:
    """The classes of a module: one for each object, also for those within others."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    @property
    def texts(self) -> Iterable[str]:
        return self._texts.values()

    def add(self, name: str, schema: Schema) -> str:
        """Add the class of the object *schema*, and return what it is called: *name*, if free."""
        while name in self._texts:
            name += "_"
        self._texts[name] = ""  # so that no object within takes the name
        self._texts[name] = _class(name, schema, dict(self._fields(name, schema)))
        return name

    def _fields(self, name: str, schema: Schema) -> Iterator[tuple[str, str]]:
        required = schema.get("required", ())
        for field, each in schema["properties"].items():
            found = self._type(each, re.sub(r"\W", "_", f"{name}_{field}"))
            yield field, found if field in required else f"NotRequired[{found}]"

    def _type(self, schema: Schema, name: str) -> str:
        """The type of what *schema* describes, as Python writes it; an object gets a class."""
        match schema:
            case {"enum": [*values]}:
                return f"Literal[{', '.join(map(_literal, cast('list[object]', values)))}]"
            case {"anyOf": [*options]}:
                found = [self._type(each, name) for each in cast("list[Schema]", options)]
                return " | ".join(dict.fromkeys(found))
            case {"type": "array", "items": dict()}:
                return f"list[{self._type(schema['items'], name)}]"
            case {"type": "object", "properties": dict()}:
                return self.add(name, schema)
            case {"type": "object", "additionalProperties": dict()}:
                return f"dict[str, {self._type(schema['additionalProperties'], name)}]"
            case {"type": str() as word}:
                return _PLAIN[word]
            case _:
                return "Any"


def _class(name: str, schema: Schema, fields: Mapping[str, str]) -> str:
    if not all(map(_is_plain, fields)):
        items = "".join(f"    {_text(field)}: {_text(each)},\n" for field, each in fields.items())
        return f'{name} = TypedDict("{name}", {{\n{items}}})\n'
    lines = [f"class {name}(TypedDict):"]
    if about := schema.get("description"):
        lines += [f"    {_text(about)}", ""]
    for field, each in fields.items():
        lines.append(f"    {field}: {each}")
        if description := schema["properties"][field].get("description"):
            lines.append(f"    {_text(description)}")
    return "\n".join(lines) + "\n"


def _is_plain(field: str) -> bool:
    """Whether *field* can be written as an attribute of a class."""
    return field.isidentifier() and not iskeyword(field) and not field.startswith("__")


def _literal(value: object) -> str:
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """*text* as a Python string on one line."""
    return json.dumps(text, ensure_ascii=False)
