"""What a type must keep to beyond its form; every fault points to the part of the type it is in."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from domain.errors import Fault
from domain.signature.annotations import bounds_of
from domain.signature.constraints import COUNTED, NUMERIC, TEXTUAL, WHOLE, both, contradictions
from domain.signature.errors import ValuesDoNotFit
from domain.signature.types import (
    INTEGER,
    STRING,
    ConstrainedOf,
    DictOf,
    EnumOf,
    FieldSpec,
    FieldType,
    ListOf,
    ObjectOf,
    OptionalOf,
    Primitive,
    UnionOf,
)
from domain.signature.validation import default_of
from domain.text import MAX_LONG_TEXT_BYTES, text_fault

MAX_NAME_BYTES: Final = 100
MAX_TYPE_DEPTH: Final = 16
MAX_TYPE_PARTS: Final = 1000
MAX_WORDS: Final = 1000
MAX_WORD_BYTES: Final = 1000
MAX_UNION: Final = 20

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ALLOWED: Final = {
    **dict.fromkeys(("integer", "token_count"), WHOLE),
    **dict.fromkeys(("float", "probability", "confidence_score"), NUMERIC),
    "string": TEXTUAL,
    **dict.fromkeys(("array", "map", "reasoning_chain", "embedding"), COUNTED),
}


def type_faults(pointer: str, type: FieldType) -> Iterator[Fault]:
    """Everything that is wrong with *type*, which lies at *pointer*."""
    waiting = [(pointer, type, 1)]
    met = 0
    while waiting:
        where, each, depth = waiting.pop()
        met += 1
        if depth > MAX_TYPE_DEPTH:
            message = f"Types are nested at most {MAX_TYPE_DEPTH} levels deep. Flatten this one."
            yield Fault(pointer, "type.too_deep", message)
            return
        if met > MAX_TYPE_PARTS:
            message = f"A type has at most {MAX_TYPE_PARTS} parts. Use any for some of them."
            yield Fault(pointer, "type.too_large", message)
            return
        yield from _own_faults(where, each)
        waiting += [(where + step, part, depth + 1) for step, part in _steps(each)]


def name_faults(pointer: str, name: str) -> Iterator[Fault]:
    """What keeps *name* from being one of a field."""
    shown = ascii(name[:MAX_NAME_BYTES])
    if not _NAME.fullmatch(name):
        message = f"{shown} is no field name. Use a letter, then letters, digits and underscores."
        yield Fault(pointer, "name.invalid", message)
    elif len(name) > MAX_NAME_BYTES:
        message = f"A field name has at most {MAX_NAME_BYTES} bytes. Choose a shorter one."
        yield Fault(pointer, "name.too_long", message)


def text_faults(pointer: str, text: str | None) -> Iterator[Fault]:
    """What keeps *text* from being a description."""
    if text is None:
        return
    if fault := text_fault(text, pointer):
        yield fault
    elif len(text.encode()) > MAX_LONG_TEXT_BYTES:
        message = f"A text has at most {MAX_LONG_TEXT_BYTES} bytes. Shorten it."
        yield Fault(pointer, "text.too_long", message)


def default_faults(pointer: str, field: FieldSpec) -> Iterator[Fault]:
    """What is wrong with the default of *field*, and within its type, which has no other fault."""
    waiting = [(pointer, field)]
    while waiting:
        where, each = waiting.pop()
        yield from _default_faults(f"{where}/default", each)
        inside = [(f"{where}/type", each.type)]
        while inside:
            at, part = inside.pop()
            if isinstance(part, ObjectOf):
                waiting += [(f"{at}/fields/{index}", it) for index, it in enumerate(part.fields)]
            else:
                inside += [(at + step, deeper) for step, deeper in _steps(part)]


def _default_faults(pointer: str, field: FieldSpec) -> Iterator[Fault]:
    if not field.has_default:
        if field.default is not None:
            message = "There is a default, and has_default is false. Drop one of them."
            yield Fault(pointer, "default.contradicted", message)
        return
    try:
        default_of(field)
    except ValuesDoNotFit as error:
        yield from (Fault(pointer, "default.invalid", fault.message) for fault in error.faults)


def _steps(type: FieldType) -> Sequence[tuple[str, FieldType]]:
    match type:
        case ListOf():
            return [("/item", type.item)]
        case DictOf():
            return [("/key", type.key), ("/value", type.value)]
        case OptionalOf() | ConstrainedOf():
            return [("/of", type.of)]
        case UnionOf():
            return [(f"/options/{index}", option) for index, option in enumerate(type.options)]
        case ObjectOf():
            return [(f"/fields/{index}/type", it.type) for index, it in enumerate(type.fields)]
        case _:
            return []


def _own_faults(pointer: str, type: FieldType) -> Iterator[Fault]:
    match type:
        case DictOf() if type.key not in (STRING, INTEGER):
            message = "The keys of a map are string or integer. Change the first type."
            yield Fault(pointer, "type.key", message)
        case UnionOf() if len(type.options) > MAX_UNION:
            message = f"A union has at most {MAX_UNION} types. Use any."
            yield Fault(pointer, "type.union_too_long", message)
        case EnumOf():
            yield from _word_faults(pointer, type.values)
        case ObjectOf():
            yield from _field_faults(pointer, type.fields)
        case ConstrainedOf():
            yield from _constraint_faults(pointer, type)
        case _:
            pass


def _word_faults(pointer: str, words: Sequence[str]) -> Iterator[Fault]:
    if len(words) > MAX_WORDS:
        message = f"An enum has at most {MAX_WORDS} words. Use a string."
        yield Fault(pointer, "enum.too_many", message)
    elif len(set(words)) < len(words):
        yield Fault(pointer, "enum.repeated", "A word of this enum stands twice. Remove one.")
    for word in words[:MAX_WORDS]:
        if fault := text_fault(word, pointer):
            yield fault
        elif not word.strip() or len(word.encode()) > MAX_WORD_BYTES:
            message = f"A word of an enum has 1 to {MAX_WORD_BYTES} bytes and is not blank."
            yield Fault(pointer, "enum.word", message)


def _field_faults(pointer: str, fields: Sequence[FieldSpec]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, field in enumerate(fields):
        where = f"{pointer}/fields/{index}"
        yield from name_faults(f"{where}/name", field.name)
        yield from text_faults(f"{where}/description", field.description)
        if field.name in seen:
            message = f"The name {field.name} is used twice in an object. Rename one."
            yield Fault(f"{where}/name", "name.repeated", message)
        seen.add(field.name)


def _constraint_faults(pointer: str, type: ConstrainedOf) -> Iterator[Fault]:
    inner = type.of.of if isinstance(type.of, OptionalOf) else type.of
    allowed = _allowed(inner)
    for name, value in type.constraints.said.items():
        where = f"{pointer}/constraints/{name}"
        if name not in allowed:
            known = f"It takes {', '.join(sorted(allowed))}." if allowed else "It takes none."
            message = f"{name} does not go with this type. {known}"
            yield Fault(where, "constraint.unfit", message)
        elif allowed == WHOLE and isinstance(value, float) and not value.is_integer():
            message = f"{name} of a whole number is a whole number, not {value}. Round it."
            yield Fault(where, "constraint.whole", message)
    for message in contradictions(both(bounds_of(inner), type.constraints)):
        yield Fault(f"{pointer}/constraints", "constraint.impossible", message)


def _allowed(type: FieldType) -> frozenset[str]:
    match type:
        case Primitive():
            return _ALLOWED.get(type.name, frozenset())
        case ListOf() | DictOf():
            return COUNTED
        case _:
            return frozenset()
