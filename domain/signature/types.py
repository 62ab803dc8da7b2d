"""The closed set of field types. No name outside it is ever resolved, imported or evaluated."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from domain.kernel import ValueObject

PrimitiveName = Literal[
    "string",
    "integer",
    "float",
    "boolean",
    "array",
    "map",
    "any",
    "probability",
    "confidence_score",
    "reasoning_chain",
    "embedding",
    "token_count",
]


class Primitive(ValueObject):
    """A type that is one word.

    ``array`` and ``map`` hold anything; ``probability`` and ``confidence_score`` are floats in
    0..1; ``reasoning_chain`` is a list of steps; ``embedding`` a list of floats; ``token_count``
    an integer ≥ 0.
    """

    kind: Literal["primitive"] = "primitive"
    name: PrimitiveName


class ListOf(ValueObject):
    kind: Literal["list"] = "list"
    item: "FieldType"


class DictOf(ValueObject):
    """A map with keys of one type and values of another; the key is ``string`` or ``integer``."""

    kind: Literal["dict"] = "dict"
    key: "FieldType"
    value: "FieldType"


class EnumOf(ValueObject):
    """One of a fixed set of words (``Literal`` in Python)."""

    kind: Literal["enum"] = "enum"
    values: Annotated[tuple[str, ...], Field(min_length=1)]


class OptionalOf(ValueObject):
    """The inner type, or null."""

    kind: Literal["optional"] = "optional"
    of: "FieldType"


class UnionOf(ValueObject):
    kind: Literal["union"] = "union"
    options: Annotated[tuple["FieldType", ...], Field(min_length=2)]


FieldType = Annotated[
    Primitive | ListOf | DictOf | EnumOf | OptionalOf | UnionOf, Field(discriminator="kind")
]

for _model in (ListOf, DictOf, OptionalOf, UnionOf):
    _model.model_rebuild()

PRIMITIVES: dict[str, Primitive] = {name: Primitive(name=name) for name in get_args(PrimitiveName)}

STRING = PRIMITIVES["string"]
INTEGER = PRIMITIVES["integer"]


def parts(type: FieldType) -> tuple[FieldType, ...]:
    """The types that *type* is made of."""
    match type:
        case ListOf():
            return (type.item,)
        case DictOf():
            return (type.key, type.value)
        case OptionalOf():
            return (type.of,)
        case UnionOf():
            return type.options
        case _:
            return ()


def normal(type: FieldType) -> FieldType:
    """The one spelling of *type*: unions flat and without repeats, null said once and outermost."""
    match type:
        case ListOf():
            return ListOf(item=normal(type.item))
        case DictOf():
            return DictOf(key=normal(type.key), value=normal(type.value))
        case OptionalOf():
            return _nullable(normal(type.of))
        case UnionOf():
            return _union([normal(option) for option in type.options])
        case _:
            return type


def _nullable(type: FieldType) -> OptionalOf:
    return type if isinstance(type, OptionalOf) else OptionalOf(of=type)


def _union(options: list[FieldType]) -> FieldType:
    flat: dict[FieldType, None] = {}
    for option in options:
        inner = option.of if isinstance(option, OptionalOf) else option
        flat.update(dict.fromkeys(inner.options if isinstance(inner, UnionOf) else (inner,)))
    distinct = tuple(flat)
    union = distinct[0] if len(distinct) == 1 else UnionOf(options=distinct)
    return _nullable(union) if any(isinstance(each, OptionalOf) for each in options) else union
