"""Whether a condition asks of its fields what their types can answer."""

from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from pydantic import JsonValue

from domain.errors import Fault
from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Condition, Not
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import (
    STRING,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    OptionalOf,
    Primitive,
)
from domain.signature.validation import validate_inputs
from domain.text import json_faults

MAX_NESTING: Final = 10
MAX_VALUES: Final = 100

_ORDERED: Final = frozenset({
    "string", "integer", "float", "probability", "confidence_score", "token_count",
})  # fmt: skip
_ITEMS: Final[Mapping[str, FieldType]] = {
    "string": STRING,
    "reasoning_chain": STRING,
    "embedding": Primitive(name="float"),
    "array": Primitive(name="any"),
}
_EMPTIED: Final = _ITEMS.keys() | {"map", "any"}

Fields = Mapping[str, FieldSpec]


def fields_of(condition: Condition) -> frozenset[str]:
    """The names of the fields that *condition* asks about."""
    match condition:
        case Comparison() | Check():
            return frozenset({condition.field})
        case AllOf() | AnyOf():
            return frozenset(name for part in condition.of for name in fields_of(part))
        case Not():
            return fields_of(condition.of)
        case _:
            assert_never(condition)


def condition_faults(
    condition: Condition, fields: Fields, pointer: str, depth: int = 1
) -> Iterator[Fault]:
    """Everything in *condition* that the types of *fields* cannot answer."""
    if depth > MAX_NESTING:
        message = f"Conditions are nested at most {MAX_NESTING} levels deep. Flatten this one."
        yield Fault(pointer, "condition.too_deep", message)
        return
    match condition:
        case AllOf() | AnyOf():
            for index, part in enumerate(condition.of):
                yield from condition_faults(part, fields, f"{pointer}/of/{index}", depth + 1)
        case Not():
            yield from condition_faults(condition.of, fields, f"{pointer}/of", depth + 1)
        case Comparison() | Check() if condition.field not in fields:
            message = f"There is no field of that name here. Choose one of {', '.join(fields)}."
            yield Fault(f"{pointer}/field", "graph.unknown_field", message)
        case Comparison():
            yield from _comparison_faults(condition, fields[condition.field], pointer)
        case Check():
            yield from _check_faults(condition, fields[condition.field], pointer)
        case _:
            assert_never(condition)


def _comparison_faults(comparison: Comparison, field: FieldSpec, pointer: str) -> Iterator[Fault]:
    match comparison.op:
        case "eq" | "ne":
            yield from _value_faults(f"{pointer}/value", field, comparison.value)
        case "in":
            yield from _word_list_faults(f"{pointer}/value", field, comparison.value)
        case "contains":
            if (item := _item(field)) is None:
                yield _unanswerable(pointer, field, "a text or a list")
            else:
                yield from _value_faults(f"{pointer}/value", item, comparison.value)
        case "lt" | "le" | "gt" | "ge":
            if (
                not isinstance(field.type, Primitive)
                or field.optional
                or (field.type.name not in _ORDERED)
            ):
                yield _unanswerable(pointer, field, "a number or a text")
            else:
                yield from _value_faults(f"{pointer}/value", field, comparison.value)
        case _:
            assert_never(comparison.op)


def _check_faults(check: Check, field: FieldSpec, pointer: str) -> Iterator[Fault]:
    kept = field.type
    if check.op == "true":
        if kept != Primitive(name="boolean") or field.optional:
            yield _unanswerable(pointer, field, "a boolean")
    elif (
        not field.optional
        and not isinstance(kept, ListOf | DictOf | OptionalOf)
        and not (isinstance(kept, Primitive) and kept.name in _EMPTIED)
    ):
        yield _unanswerable(pointer, field, "a text, a list, a map, or a field that may be null")


def _word_list_faults(pointer: str, field: FieldSpec, values: JsonValue) -> Iterator[Fault]:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        message = f"This takes a list of 1 to {MAX_VALUES} values."
        yield Fault(pointer, "condition.value", message)
        return
    for index, value in enumerate(values):
        yield from _value_faults(f"{pointer}/{index}", field, value)


def _value_faults(pointer: str, field: FieldSpec, value: JsonValue) -> Iterator[Fault]:
    if unsafe := list(json_faults(value, pointer)):
        yield from unsafe
        return
    taken = FieldSpec(name="value", type=field.type, optional=field.optional)
    spec = SignatureSpec(inputs=(taken,), outputs=(taken,))
    try:
        validate_inputs(spec, {"value": value}, strict=True)
    except ValuesDoNotFit:
        message = f"{field.name} is never equal to this value. Compare it with one of its type."
        yield Fault(pointer, "condition.value", message)


def _item(field: FieldSpec) -> FieldSpec | None:
    if field.optional:
        return None
    if isinstance(field.type, EnumOf):
        return FieldSpec(name=field.name)
    if isinstance(field.type, ListOf):
        return FieldSpec(name=field.name, type=field.type.item)
    item = _ITEMS.get(field.type.name) if isinstance(field.type, Primitive) else None
    return None if item is None else FieldSpec(name=field.name, type=item)


def _unanswerable(pointer: str, field: FieldSpec, wanted: str) -> Fault:
    message = f"{field.name} is not {wanted}, which this asks of it. Ask something else."
    return Fault(f"{pointer}/op", "condition.type", message)
