"""What a signature must keep to beyond its form; every fault is named at once."""

from collections.abc import Iterator, Sequence
from keyword import iskeyword
from typing import Final

from domain.errors import Fault
from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.type_rules import default_faults, name_faults, text_faults, type_faults
from domain.signature.types import (
    HISTORY,
    MEDIA,
    PRIMITIVES,
    ConstrainedOf,
    FieldType,
    ListOf,
    OptionalOf,
    Primitive,
    parts,
    spelled,
)
from domain.signature.validation import default_of

MAX_FIELDS: Final = 200
MAX_PARTS: Final = 2000
MAX_PATTERNS: Final = 20

RESERVED: Final = frozenset({
    "signature", "instructions", "fields", "input_fields", "output_fields",
    "demos", "config", "lm", "new_signature", "prediction", "self", "base",
    "trajectory", "next_thought", "next_tool_name", "next_tool_args",
    "history", "tools", "termination_reason",
})  # fmt: skip
"""Names with a meaning of their own in DSPy: as a field they would be swallowed or break it."""


def accepted(spec: SignatureSpec) -> SignatureSpec:
    """*spec* in its one spelling: types in normal form, defaults in the form of their type.

    Raises:
        InvalidSignature: It breaks a rule; it names every fault.
    """
    if oversize := list(_size_faults(spec)):
        raise InvalidSignature(oversize)
    faults = [
        *text_faults("/instructions", spec.instructions),
        *_side_faults("inputs", spec.inputs),
        *_side_faults("outputs", spec.outputs),
        *_repeated(spec),
        *_history_faults(spec),
    ]
    if faults:
        raise InvalidSignature(faults)
    return SignatureSpec(
        inputs=tuple(spelled(field, default_of) for field in spec.inputs),
        outputs=tuple(spelled(field, default_of) for field in spec.outputs),
        instructions=spec.instructions or None,
    )


def too_many() -> Fault:
    return Fault("", "fields.too_many", f"A signature has at most {MAX_FIELDS} fields. Split it.")


def _size_faults(spec: SignatureSpec) -> Iterator[Fault]:
    """What would take long to look at closely; each pattern is compiled."""
    fields = (*spec.inputs, *spec.outputs)
    if len(fields) > MAX_FIELDS:
        yield too_many()
        return
    waiting, met, patterns = [field.type for field in fields], 0, 0
    while waiting and met <= MAX_PARTS:
        each = waiting.pop()
        met += 1
        patterns += isinstance(each, ConstrainedOf) and each.constraints.pattern is not None
        waiting += parts(each)
    if met > MAX_PARTS:
        message = f"The types of a signature have at most {MAX_PARTS} parts. Use any for some."
        yield Fault("", "type.too_large", message)
    if patterns > MAX_PATTERNS:
        message = f"A signature has at most {MAX_PATTERNS} patterns. Use a length for some."
        yield Fault("", "pattern.too_many", message)


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
        yield from name_faults(f"{pointer}/name", field.name)
        yield from _reserved(f"{pointer}/name", field.name)
        yield from text_faults(f"{pointer}/description", field.description)
        faults = list(type_faults(f"{pointer}/type", field.type))
        faults = faults or list(_place_faults(f"{pointer}/type", side, field.type))
        if side == "outputs" and field.has_default:
            message = f"The output {field.name} cannot have a default: the model writes it."
            faults.append(Fault(f"{pointer}/default", "default.on_output", f"{message} Remove it."))
        yield from faults or default_faults(pointer, field)


def _reserved(pointer: str, name: str) -> Iterator[Fault]:
    if iskeyword(name) or name in RESERVED or name.startswith("model_"):
        message = f"The name {name} is reserved. Choose another, such as the_{name}."
        yield Fault(pointer, "name.reserved", message)


def _place_faults(pointer: str, side: str, type: FieldType) -> Iterator[Fault]:
    """Content that is no text goes in as a field of its own or as a list, where prompts take it."""
    inner, listed = type, False
    while isinstance(inner, OptionalOf | ListOf):
        listed = listed or isinstance(inner, ListOf)
        inner = inner.of if isinstance(inner, OptionalOf) else inner.item
    for name in sorted(_content(type)):
        if side == "outputs":
            message = f"A model writes text, no {name}. Make it an input."
        elif inner != PRIMITIVES[name]:
            message = f"{name} stands alone or in a list. Make it an input of its own."
        elif name == HISTORY and listed:
            message = "A history is already a list. Make it an input of its own."
        else:
            continue
        yield Fault(pointer, "type.misplaced", message)


def _content(type: FieldType) -> set[str]:
    if isinstance(type, Primitive):
        return {*MEDIA, HISTORY}.intersection((type.name,))
    return set[str]().union(*map(_content, parts(type)))


def _history_faults(spec: SignatureSpec) -> Iterator[Fault]:
    told = [index for index, it in enumerate(spec.inputs) if HISTORY in _content(it.type)]
    for index in told[1:]:
        message = "A prompt has one history. Remove this one."
        yield Fault(f"/inputs/{index}/type", "history.repeated", message)
