"""A value for a JSON schema, the same every time: what a dry run is fed with and answered by."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from pydantic import JsonValue

_DEPTH: Final = 8
_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")
_ADDRESSES: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg==",
    "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=",
    "data:text/plain;base64,c29tZSB0ZXh0",
)
"""A picture of one point, a sound of no length, and a file."""

Schema = Mapping[str, Any]


def made_up(schema: Schema, name: str = "value") -> JsonValue:
    """A value that fits *schema*, bounds included; texts say what they stand for by *name*.

    Patterns of texts are not looked at: what must match one has to be given.
    """
    return _value(schema, name, schema.get("$defs", {}), _DEPTH)


def _value(schema: Schema, name: str, known: Mapping[str, Schema], depth: int) -> JsonValue:
    if "$ref" in schema:
        target = str(schema["$ref"]).rpartition("/")[2]
        return None if depth == 0 else _value(known.get(target, {}), name, known, depth - 1)
    if "const" in schema:
        return cast("JsonValue", schema["const"])
    if options := cast("Sequence[JsonValue]", schema.get("enum", ())):
        return options[0]
    for word in _ALTERNATIVES:
        for option in schema.get(word, ()):
            if option.get("type") != "null":
                return _value(option, name, known, depth)
    return _of_type(schema, name, known, depth)


def _of_type(schema: Schema, name: str, known: Mapping[str, Schema], depth: int) -> JsonValue:
    match schema.get("type", "string"):
        case "integer":
            return int(_number(schema))
        case "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            return _items(schema, name, known, depth)
        case "object":
            return _object(schema, name, known, depth)
        case _:
            return _text(schema, name)


def _number(schema: Schema) -> float:
    if step := schema.get("multipleOf"):
        least = max(schema.get("minimum", step), schema.get("exclusiveMinimum", 0) + 1)
        return float(step * math.ceil(least / step))
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    least, most = schema.get("minimum", above), schema.get("maximum", below)
    if least is not None and most is not None and schema.get("type") == "number":
        return (float(least) + float(most)) / 2
    if least is not None:
        return float(least) + (0 if above is None else 1)
    if most is not None:
        return float(most) - (0 if below is None else 1)
    return 1


def _text(schema: Schema, name: str) -> str:
    if schema.get("format") == "uri":
        pattern = str(schema.get("pattern", ""))
        return next((each for each in _ADDRESSES if re.match(pattern, each)), _ADDRESSES[-1])
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    text = f"some {name}"
    text += "." * (least - len(text))
    return text if most is None else text[: int(most)]


def _items(schema: Schema, name: str, known: Mapping[str, Schema], depth: int) -> list[JsonValue]:
    if depth == 0:
        return []
    count = max(1, int(schema.get("minItems", 1)))
    item = _value(schema.get("items") or {}, name, known, depth - 1)
    return [item] * min(count, int(schema.get("maxItems", count)))


def _object(
    schema: Schema, name: str, known: Mapping[str, Schema], depth: int
) -> dict[str, JsonValue]:
    if depth == 0:
        return {}
    parts: Mapping[str, Schema] = schema.get("properties", {})
    if parts:
        return {each: _value(part, each, known, depth - 1) for each, part in parts.items()}
    rest = schema.get("additionalProperties")
    inner: Schema = cast("Schema", rest) if isinstance(rest, dict) else {}
    # Keys of JSON are texts, also those that stand for numbers.
    return {"1": _value(inner, name, known, depth - 1)}
