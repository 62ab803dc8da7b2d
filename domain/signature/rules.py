"""What a signature must keep to beyond its form; every fault is named at once."""

import re
from collections.abc import Iterator, Sequence
from keyword import iskeyword
from typing import Final

from domain.errors import Fault
from domain.signature.errors import InvalidSignature, ValuesDoNotFit
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import (
    INTEGER,
    STRING,
    DictOf,
    EnumOf,
    FieldType,
    UnionOf,
    normal,
    parts,
)
from domain.signature.validation import default_of
from domain.text import MAX_LONG_TEXT_BYTES, text_fault

MAX_FIELDS: Final = 200
MAX_NAME_BYTES: Final = 100
MAX_TYPE_DEPTH: Final = 16
MAX_WORDS: Final = 1000
MAX_WORD_BYTES: Final = 1000
MAX_UNION: Final = 20

RESERVED: Final = frozenset({
    "signature", "instructions", "fields", "input_fields", "output_fields",
    "demos", "config", "lm", "new_signature", "prediction", "self", "base",
    "trajectory", "next_thought", "next_tool_name", "next_tool_args",
    "history", "tools", "termination_reason",
})  # fmt: skip
"""Names with a meaning of their own in DSPy: as a field they would be swallowed or break it."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def accepted(spec: SignatureSpec) -> SignatureSpec:
    """*spec* in its one spelling: types in normal form, defaults in the form of their type.

    Raises:
        InvalidSignature: It breaks a rule; it names every fault.
    """
    faults = [
        *_text_faults("/instructions", spec.instructions),
        *_count_faults(spec),
        *_side_faults("inputs", spec.inputs),
        *_side_faults("outputs", spec.outputs),
        *_repeated(spec),
    ]
    if faults:
        raise InvalidSignature(faults)
    return SignatureSpec(
        inputs=tuple(_normal(field) for field in spec.inputs),
        outputs=tuple(_normal(field) for field in spec.outputs),
        instructions=spec.instructions or None,
    )


def too_many() -> Fault:
    return Fault("", "fields.too_many", f"A signature has at most {MAX_FIELDS} fields. Split it.")


def _normal(field: FieldSpec) -> FieldSpec:
    default = default_of(field) if field.has_default else None
    return field.model_copy(
        update={
            "type": normal(field.type),
            "description": field.description or None,
            "default": default,
        }
    )


def _count_faults(spec: SignatureSpec) -> Iterator[Fault]:
    if len(spec.inputs) + len(spec.outputs) > MAX_FIELDS:
        yield too_many()


def _repeated(spec: SignatureSpec) -> Iterator[Fault]:
    seen: set[str] = set()
    for side, fields in (("inputs", spec.inputs), ("outputs", spec.outputs)):
        for index, field in enumerate(fields):
            if field.name in seen:
                message = f"The name {field.name} is used twice. Every field needs its own."
                yield Fault(f"/{side}/{index}/name", "name.repeated", message)
            seen.add(field.name)


def _side_faults(side: str, fields: Sequence[FieldSpec]) -> Iterator[Fault]:
    for index, field in enumerate(fields):
        pointer = f"/{side}/{index}"
        yield from _name_faults(f"{pointer}/name", field.name)
        yield from _text_faults(f"{pointer}/description", field.description)
        faults = list(_type_faults(f"{pointer}/type", field.type))
        yield from faults
        if not faults:
            yield from _default_faults(f"{pointer}/default", side, field)


def _name_faults(pointer: str, name: str) -> Iterator[Fault]:
    shown = ascii(name[:MAX_NAME_BYTES])
    if not _NAME.fullmatch(name):
        message = f"{shown} is no field name. Use a letter, then letters, digits and underscores."
        yield Fault(pointer, "name.invalid", message)
    elif len(name) > MAX_NAME_BYTES:
        message = f"A field name has at most {MAX_NAME_BYTES} bytes. Choose a shorter one."
        yield Fault(pointer, "name.too_long", message)
    elif iskeyword(name) or name in RESERVED or name.startswith("model_"):
        message = f"The name {name} is reserved. Choose another, such as the_{name}."
        yield Fault(pointer, "name.reserved", message)


def _text_faults(pointer: str, text: str | None) -> Iterator[Fault]:
    if text is None:
        return
    if fault := text_fault(text, pointer):
        yield fault
    elif len(text.encode()) > MAX_LONG_TEXT_BYTES:
        message = f"A text has at most {MAX_LONG_TEXT_BYTES} bytes. Shorten it."
        yield Fault(pointer, "text.too_long", message)


def _type_faults(pointer: str, type: FieldType) -> Iterator[Fault]:
    waiting = [(type, 1)]
    while waiting:
        each, depth = waiting.pop()
        if depth > MAX_TYPE_DEPTH:
            message = f"Types are nested at most {MAX_TYPE_DEPTH} levels deep. Flatten this one."
            yield Fault(pointer, "type.too_deep", message)
            return
        yield from _own_faults(pointer, each)
        waiting += [(part, depth + 1) for part in parts(each)]


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


def _default_faults(pointer: str, side: str, field: FieldSpec) -> Iterator[Fault]:
    if not field.has_default:
        if field.default is not None:
            message = "There is a default, and has_default is false. Drop one of them."
            yield Fault(pointer, "default.contradicted", message)
    elif side == "outputs":
        message = f"The output {field.name} cannot have a default: the model writes it. Remove it."
        yield Fault(pointer, "default.on_output", message)
    else:
        try:
            default_of(field)
        except ValuesDoNotFit as error:
            yield from (Fault(pointer, "default.invalid", fault.message) for fault in error.faults)
