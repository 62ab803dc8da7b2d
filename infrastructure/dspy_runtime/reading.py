"""Reading an answer that is not in the form asked for: what is plainly meant, else what is wrong.

Nothing is guessed. What may be read in two ways, lacks a field, or is cut off is not repaired.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import zip_longest
from typing import Annotated, Any, Final

import json_repair
from dspy.adapters.utils import (
    annotation_allows_none,
    apply_output_field_defaults,
    get_annotation_name,
    parse_value,
)
from dspy.utils.exceptions import AdapterParseError
from pydantic import TypeAdapter, ValidationError

from domain.text import json_faults
from domain.values import Failure

MAX_CHARACTERS: Final = 1_000_000
"""A longer answer is not read at all: parsers take seconds for it."""

REPAIRED_CHARACTERS: Final = 100_000
"""A longer answer is read as it is, or not at all."""

FILTERED: Final = "output.filtered"
INVALID: Final = "output.invalid"
TRUNCATED: Final = "output.truncated"
UNPARSEABLE: Final = "output.unparseable"
CODES: Final = frozenset({FILTERED, INVALID, TRUNCATED, UNPARSEABLE})
"""What a failure is called that is about an answer."""

_FAULTS: Final = 5
_FAULT_LENGTH: Final = 160
_NOT_TOLD: Final = frozenset({"json.not_json", "json.key"})
"""DSPy's own types stand among values; what they hold is written as JSON later."""

_MARKER: Final = re.compile(r"[*`>]*\[\[\s*#{0,3}\s*(\w+)\s*#{0,3}\s*\]\][*`]*")
_FENCED: Final = re.compile(r"```[a-zA-Z]*\s*\n(.*?)\n?\s*```", re.DOTALL)
# What parsers of strangers' text raise; all of it says that the text is not what was asked for.
UNREAD: Final = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError)


class AnswerIsUnreadable(AdapterParseError):  # type: ignore[misc]  # DSPy ships no types
    """An answer that cannot be used; ``faults`` say what is wrong with which field."""

    def __init__(self, signature: Any, answer: str, faults: list[str], code: str) -> None:
        super().__init__("stratal", signature, answer, "; ".join(faults))
        self.faults, self.failure_code = faults, code

    @property
    def is_final(self) -> bool:
        """Whether asking again cannot help."""
        return self.failure_code == FILTERED


class _Ambiguous(ValueError):
    """There are two values, or two objects, where one was asked for."""


def repaired(signature: Any, answer: str) -> dict[str, Any] | None:
    """The fields of *answer* if it plainly has them all, in markers or as one JSON object."""
    if len(answer) > REPAIRED_CHARACTERS:
        return None
    try:
        found = _marked(signature, answer) or _object(signature, answer)
        return None if found is None else _values(signature, found)
    except UNREAD:
        return None


def faults_of(signature: Any, answer: str) -> list[str]:
    """What is wrong with *answer*, a sentence for each of the fields; nothing that it says."""
    if not answer.strip():
        return ["the answer is empty"]
    if len(answer) > MAX_CHARACTERS:
        return [f"the answer has {len(answer)} characters, and {MAX_CHARACTERS} are read at most"]
    try:
        found = _marked(signature, answer, strict=False) or _object(signature, answer) or {}
    except UNREAD:
        found = {}
    faults = [
        fault
        for name, field in signature.output_fields.items()
        if (fault := _fault(name, field, found)) is not None
    ]
    return faults[:_FAULTS] or ["it is not in the form asked for"]


def unsound(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with *values* that could be read, but are no JSON.

    A text that repeats its place in the prompt is a wrong answer, not an unreadable one: small
    models give it often, and asking again costs more than the score of 0 that it gets.
    """
    told = [
        f"`{fault.pointer[1:]}`: {fault.message}".rstrip(".")
        for fault in json_faults(dict(values))
        if fault.code not in _NOT_TOLD
    ]
    return told[:_FAULTS]


def out_of_bounds(signature: Any, values: Mapping[str, Any]) -> list[str]:
    """Which of *values* are beyond their bounds, of which DSPy only tells the model."""
    faults: list[str] = []
    for name, field in signature.output_fields.items():
        if field.metadata and values[name] is not None:
            try:
                _bounded(field.annotation, tuple(field.metadata)).validate_python(values[name])
            except ValidationError as error:
                faults.append(_told(name, field, error))
    return faults[:_FAULTS]


def failure_at(error: AdapterParseError, node: str | None) -> Failure:
    """The typed failure of *error* at *node*."""
    where = f" at node {node}" if node else ""
    if isinstance(error, AnswerIsUnreadable):
        code, faults = error.failure_code, error.faults
    else:
        code, faults = UNPARSEABLE, faults_of(error.signature, str(error.lm_response))
    wanted = ", ".join(error.signature.output_fields)
    message = (
        f"The model's answer{where} could not be read as the fields {wanted}: {'; '.join(faults)}."
    )
    return Failure(code=code, message=message)


def unreadable(
    signature: Any, answer: str, faults: list[str], finish_reason: str | None
) -> AnswerIsUnreadable:
    """The error of *answer* with *faults*, and why the model ended where it did."""
    match finish_reason:
        case "content_filter":
            withheld = ["the provider withheld it"]
            return AnswerIsUnreadable(signature, answer, withheld, FILTERED)
        case "length":
            cut = ["it was cut off at the limit of its tokens", *faults]
            return AnswerIsUnreadable(signature, answer, cut, TRUNCATED)
        case _:
            return AnswerIsUnreadable(signature, answer, faults, UNPARSEABLE)


def _marked(signature: Any, answer: str, *, strict: bool = True) -> dict[str, Any] | None:
    """The sections of *answer* by output field; markers may be written a little otherwise."""
    markers = list(_MARKER.finditer(answer))
    found: dict[str, Any] = {}
    for marker, following in zip_longest(markers, markers[1:]):
        name = _named(signature, marker.group(1))
        text = answer[marker.end() : following.start() if following else None].strip()
        if name is None or _is_echo(name, text):
            continue
        if strict and found.get(name, text) != text:
            raise _Ambiguous(name)
        found.setdefault(name, text)
    return found or None


def _object(signature: Any, answer: str) -> dict[str, Any] | None:
    """The one JSON object in *answer* with the output fields."""
    objects = [each for text in _pieces(answer) if (each := _parsed(signature, text)) is not None]
    if any(each != objects[0] for each in objects):
        raise _Ambiguous(answer)
    return objects[0] if objects else None


def _pieces(answer: str) -> Iterator[str]:
    """Where an object may be in *answer*: in fences if there are any, else between its braces."""
    fenced = _FENCED.findall(answer)
    for text in fenced or [answer]:
        first, last = text.find("{"), text.rfind("}")
        if 0 <= first < last:
            yield text[first : last + 1]


def _parsed(signature: Any, text: str) -> dict[str, Any] | None:
    try:
        content, end = _JSON.raw_decode(text)
    except _Ambiguous:
        raise
    except ValueError:
        content = json_repair.loads(text)
    else:
        if text[end:].strip():
            raise _Ambiguous(text[end:])
    if isinstance(content, dict) and len(content) == 1:
        (inner,) = content.values()
        if isinstance(inner, dict) and not _own(signature, content):
            content = inner  # {"output": {…}}
    return _own(signature, content) or None if isinstance(content, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise _Ambiguous(key)
    return found


_JSON: Final = json.JSONDecoder(object_pairs_hook=_once)


def _own(signature: Any, content: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of *content* that were asked for."""
    named = ((_named(signature, str(key)), value) for key, value in content.items())
    return {name: value for name, value in named if name is not None}


def _named(signature: Any, written: str) -> str | None:
    """The output field that *written* names, whatever the case."""
    if written in signature.output_fields:
        return written
    same = [name for name in signature.output_fields if name.casefold() == written.casefold()]
    return same[0] if len(same) == 1 else None


def _values(signature: Any, found: Mapping[str, Any]) -> dict[str, Any] | None:
    values = {
        name: _value(found[name], field.annotation)
        for name, field in signature.output_fields.items()
        if name in found
    }
    whole = apply_output_field_defaults(signature, values)
    return whole if whole.keys() == signature.output_fields.keys() else None


def _value(written: Any, annotation: Any) -> Any:
    if annotation is not str and isinstance(written, str):
        fenced = _FENCED.fullmatch(written.strip())
        written = fenced.group(1) if fenced else written
    return parse_value(written, annotation)


def _fault(name: str, field: Any, found: Mapping[str, Any]) -> str | None:
    if name not in found:
        needed = field.is_required() and not annotation_allows_none(field.annotation)
        return f"`{name}` is missing" if needed else None
    try:
        _value(found[name], field.annotation)
    except ValidationError as error:
        return _told(name, field, error)
    except UNREAD:
        return _wrong(name, field)
    return None


def _told(name: str, field: Any, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "value_error":  # those may say what the value is
        return _wrong(name, field)
    steps = "".join(f".{step}" for step in first["loc"])
    return f"`{name}{steps}`: {first['msg']}"[:_FAULT_LENGTH]


@lru_cache(maxsize=256)
def _bounded(annotation: Any, bounds: tuple[Any, ...]) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[(annotation, *bounds)])


def _wrong(name: str, field: Any) -> str:
    return f"`{name}` is not a valid {get_annotation_name(field.annotation)}"[:_FAULT_LENGTH]


def _is_echo(name: str, text: str) -> bool:
    """Whether *text* is the place of *name* in the prompt, repeated."""
    return text.startswith(f"{{{name}}}")
