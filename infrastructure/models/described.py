"""Values for the fields that a prompt describes by more than a word: objects, and bounded ones."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import JsonValue

Schema = Mapping[str, Any]

_NOTE: Final = re.compile(
    r"\{(\w+)\}\s+# note: the value you produce must adhere to the JSON schema: (\{.*\})\s*$",
    re.MULTILINE,
)
_AS_JSON: Final = "Outputs will be a JSON object with the following fields."
_BOUNDED: Final = re.compile(
    r"^\d+\. `(\w+)` \((int|float|str)\):.*\nConstraints: (.*)$", re.MULTILINE
)
_BOUND: Final = re.compile(
    r"(greater than or equal to|greater than|less than or equal to|less than"
    r"|minimum length|maximum length): (-?[0-9.e+]+)"
)


def described(prompt: str, *, seed: int) -> dict[str, JsonValue]:
    """The fields of *prompt* that are described so, with values that depend on *seed* alone."""
    found = {
        name: _bounded(kind, said, name, seed) for name, kind, said in _BOUNDED.findall(prompt)
    }
    for name, schema in _schemas(prompt):
        if "properties" in json.dumps(schema):
            found[name] = _value(schema, schema.get("$defs", {}), name, seed)
    return found


def _schemas(system: str) -> Iterator[tuple[str, Schema]]:
    for name, written in _NOTE.findall(system):
        yield name, json.loads(written)
    if _AS_JSON in system:
        after = system.index("{", system.index(_AS_JSON))
        fields, _ = json.JSONDecoder().raw_decode(system, after)
        for told in fields.values():
            for name, written in _NOTE.findall(told):
                yield name, json.loads(written)


def _bounded(kind: str, said: str, name: str, seed: int) -> JsonValue:
    bounds = {word: float(value) for word, value in _BOUND.findall(said)}
    if kind == "str":
        return _text(bounds.get("minimum length", 0), bounds.get("maximum length"), name, seed)
    step = 1.0 if kind == "int" else 0.1
    least = bounds.get("greater than or equal to", bounds.get("greater than", -step) + step)
    most = bounds.get("less than or equal to", bounds.get("less than", least + 10 + step) - step)
    number = least + (seed % 11) / 10 * (most - least)
    return round(number) if kind == "int" else number


def _text(least: float, most: float | None, name: str, seed: int) -> str:
    text = f"{name} {seed:x}".ljust(int(least), ".")
    return text if most is None else text[: int(most)]


def _value(schema: Schema, known: Mapping[str, Schema], name: str, seed: int) -> JsonValue:
    if "$ref" in schema:
        return _value(known[schema["$ref"].rpartition("/")[2]], known, name, seed)
    if "enum" in schema or "const" in schema:
        words: list[JsonValue] = schema.get("enum") or [schema["const"]]
        return words[seed % len(words)]
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], known, name, seed)
    match schema.get("type"):
        case "object":
            inside = schema.get("properties", {}).items()
            return {each: _value(part, known, each, seed) for each, part in inside}
        case "array":
            count = max(1, schema.get("minItems", 1))
            return [_value(schema.get("items", {}), known, name, seed)] * count
        case "integer" | "number":
            return _number(schema, seed)
        case "boolean":
            return seed % 2 == 0
        case _:
            return _text(schema.get("minLength", 0), schema.get("maxLength"), name, seed)


def _number(schema: Schema, seed: int) -> JsonValue:
    words = {
        "minimum": "greater than or equal to",
        "exclusiveMinimum": "greater than",
        "maximum": "less than or equal to",
        "exclusiveMaximum": "less than",
    }
    said = ", ".join(f"{text}: {schema[word]}" for word, text in words.items() if word in schema)
    return _bounded("int" if schema["type"] == "integer" else "float", said, "", seed)
