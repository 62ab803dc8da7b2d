"""Write an answer in the form a DSPy adapter asks for, with a value of its type for every field."""

import ast
import json
import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

_JSON_REQUEST: Final = "Respond with a JSON object in the following order of fields"
_CHAT_REQUEST: Final = "Respond with the corresponding output fields"
_TYPE = r"(?: \(must be formatted as a valid Python (.*?)\))?(?=, then|, and then|\.|$)"
_JSON_FIELD = re.compile(r"`(\w+)`" + _TYPE)
_CHAT_FIELD = re.compile(r"`\[\[ ## (\w+) ## \]\]`" + _TYPE)


def answer_text(last: str, reply: Mapping[str, JsonValue], *, seed: str) -> str:
    """The fields that the message *last* asks for, as its adapter wants them.

    *reply* gives some of them; the others get a value that depends on *seed* (hexadecimal) alone.
    """
    if _JSON_REQUEST in last:
        fields = _JSON_FIELD.findall(last[last.rindex(_JSON_REQUEST) :])
        return json.dumps({name: _value(name, kind, reply, seed) for name, kind in fields})
    if _CHAT_REQUEST in last:
        fields = _CHAT_FIELD.findall(last[last.rindex(_CHAT_REQUEST) :])
        parts = [
            f"[[ ## {name} ## ]]\n{_spoken(_value(name, kind, reply, seed))}"
            for name, kind in fields
            if name != "completed"
        ]
        return "\n\n".join([*parts, "[[ ## completed ## ]]"])
    return f"answer {seed[:8]}"


def _value(name: str, kind: str, reply: Mapping[str, JsonValue], seed: str) -> JsonValue:
    if name in reply:
        return reply[name]
    return _of_type(ast.parse(kind, mode="eval").body if kind else None, name, int(seed[:8], 16))


def _spoken(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _of_type(kind: ast.expr | None, name: str, seed: int) -> JsonValue:
    """A value of the Python type written in a prompt; the type is read, never evaluated."""
    match kind:
        case ast.Name(id="int"):
            return seed % 10
        case ast.Name(id="float"):
            return seed % 11 / 10
        case ast.Name(id="bool"):
            return seed % 2 == 0
        case ast.Subscript(value=ast.Name(id=outer), slice=inner):
            return _of_generic(outer, _items(inner), name, seed)
        case _:
            return f"{name} {seed:x}"


def _items(inner: ast.expr) -> list[ast.expr]:
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]


def _of_generic(outer: str, items: list[ast.expr], name: str, seed: int) -> JsonValue:
    if outer == "Literal":
        chosen: JsonValue = ast.literal_eval(items[seed % len(items)])
        return chosen
    if outer == "dict":
        key = _of_type(items[0], "key", seed)
        return {str(key): _of_type(items[1], name, seed)}
    value = _of_type(items[0], name, seed)
    return [value] if outer == "list" else value
