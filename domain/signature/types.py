"""The closed set of field types. No name outside it is ever resolved, imported or evaluated."""

from typing import Annotated, Literal

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

    ``array`` and ``map`` hold anything; ``probability`` and ``confidence_score`` are floats in 0..1;
    ``reasoning_chain`` is a list of steps; ``embedding`` a list of floats; ``token_count`` an integer ≥ 0.
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

STRING = Primitive(name="string")

for _model in (ListOf, DictOf, OptionalOf, UnionOf):
    _model.model_rebuild()
