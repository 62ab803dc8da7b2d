"""What an OpenAPI document must be so that generators can read it."""

from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import unquote

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types


def broken(document: Mapping[str, Any], *, known: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Everything that is wrong with *document*, in words; *known* is a part of it that is whole."""
    schemas = _beyond(document["components"]["schemas"], known and known["components"]["schemas"])
    paths = _beyond(document["paths"], known and known["paths"])
    operations = [
        (path, operation)
        for path, methods in document["paths"].items()
        for operation in methods.values()
    ]
    ids = [operation["operationId"] for _, operation in operations]
    yield from (f"two operations are called {each}" for each in set(ids) if ids.count(each) > 1)
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        if not name.replace("_", "").isalnum():
            yield f"{name} is no name of a component"
    for ref in references([schemas, paths] if known else document):
        if not _leads_somewhere(document, ref):
            yield f"{ref} leads nowhere"
    for path, operation in operations:
        if path not in paths:
            continue
        told = {
            each["name"] for each in operation.get("parameters", ()) if each.get("in") == "path"
        }
        asked = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        if told != asked:
            yield f"{path} has the parameters {asked}, not {told}"


def _beyond(found: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: each for name, each in found.items() if name not in (known or {})}


def references(part: object) -> Iterator[str]:
    """Every reference within *part*."""
    match part:
        case {"$ref": str() as ref}:
            yield ref
        case dict():
            for each in cast("dict[str, object]", part).values():
                yield from references(each)
        case list():
            for each in cast("list[object]", part):
                yield from references(each)
        case _:
            pass


def _leads_somewhere(document: Mapping[str, Any], ref: str) -> bool:
    here: Any = document
    for step in unquote(ref).removeprefix("#/").split("/"):
        if step not in here:
            return False
        here = here[step]
    return ref.startswith("#/")
