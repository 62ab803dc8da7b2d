"""The closed set of field types. No name outside it is ever resolved, imported or evaluated."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, JsonValue, StringConstraints, model_validator

from domain.kernel import ValueObject
from domain.signature.constraints import Constraints, canonical

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
    "image",
    "audio",
    "file",
    "history",
]


class Primitive(ValueObject):
    """A type that is one word.

    ``array`` and ``map`` hold anything; ``probability`` and ``confidence_score`` are floats in
    0..1; ``reasoning_chain`` is a list of steps; ``embedding`` a list of floats; ``token_count``
    an integer ≥ 0. ``image``, ``audio`` and ``file`` are addresses that hold or name their content;
    ``history`` is the earlier turns of a conversation.
    """

    kind: Literal["primitive"] = "primitive"
    name: PrimitiveName


class CodeOf(ValueObject):
    """Source code in one language, as text."""

    kind: Literal["code"] = "code"
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+#._-]{0,39}$")]


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


class ObjectOf(ValueObject):
    """An object with these fields and no others; an ``optional`` one may be left out."""

    kind: Literal["object"] = "object"
    fields: Annotated[tuple["FieldSpec", ...], Field(min_length=1)]


class ConstrainedOf(ValueObject):
    """The inner type within bounds: ``integer(ge=0, le=120)``."""

    kind: Literal["constrained"] = "constrained"
    of: "FieldType"
    constraints: Constraints


FieldType = Annotated[
    Primitive | CodeOf | ListOf | DictOf | EnumOf | OptionalOf | UnionOf | ObjectOf | ConstrainedOf,
    Field(discriminator="kind"),
]


class FieldSpec(ValueObject):
    """One input or output, or one field of an object.

    ``optional`` may be left out of the inputs; ``default`` (only with ``has_default``) then stands
    in for it. Outputs are never optional on the wire: an ``optional`` output may be null.
    """

    name: str
    type: FieldType = Primitive(name="string")
    description: str | None = None
    optional: bool = False
    has_default: bool = False
    default: JsonValue = None

    @model_validator(mode="before")
    @classmethod
    def _default_says_it_all(cls, data: Any) -> Any:
        """A written default is one, and a field with a default may be left out."""
        if not isinstance(data, dict):
            return data
        given: dict[str, Any] = {"has_default": "default" in data, **data}
        return {**given, "optional": True} if given["has_default"] is True else given


for _model in (ListOf, DictOf, OptionalOf, UnionOf, ObjectOf, ConstrainedOf, FieldSpec):
    _model.model_rebuild()

PRIMITIVES: dict[str, Primitive] = {name: Primitive(name=name) for name in get_args(PrimitiveName)}

STRING = PRIMITIVES["string"]
INTEGER = PRIMITIVES["integer"]
MEDIA: Final = frozenset({"image", "audio", "file"})
HISTORY: Final = "history"


def parts(type: FieldType) -> tuple[FieldType, ...]:
    """The types that *type* is made of."""
    match type:
        case ListOf():
            return (type.item,)
        case DictOf():
            return (type.key, type.value)
        case OptionalOf() | ConstrainedOf():
            return (type.of,)
        case UnionOf():
            return type.options
        case ObjectOf():
            return tuple(field.type for field in type.fields)
        case _:
            return ()


def normal(
    type: FieldType, default: Callable[[FieldSpec], JsonValue] = lambda field: field.default
) -> FieldType:
    """The one spelling of *type*: unions flat and without repeats, null said once and outermost.

    *default* spells the default of a field within it, whose own type is spelled already.
    """
    match type:
        case ListOf():
            return ListOf(item=normal(type.item, default))
        case DictOf():
            return DictOf(key=normal(type.key, default), value=normal(type.value, default))
        case OptionalOf():
            return _nullable(normal(type.of, default))
        case UnionOf():
            return _union([normal(option, default) for option in type.options])
        case ObjectOf():
            return ObjectOf(fields=tuple(spelled(field, default) for field in type.fields))
        case ConstrainedOf():
            return _constrained(normal(type.of, default), canonical(type.constraints))
        case _:
            return type


def spelled(field: FieldSpec, default: Callable[[FieldSpec], JsonValue]) -> FieldSpec:
    """*field* with its type in normal form, and its default as *default* spells it."""
    update = {"type": normal(field.type, default), "description": field.description or None}
    kept = field.model_copy(update=update)
    return kept.model_copy(update={"default": default(kept) if kept.has_default else None})


def _nullable(type: FieldType) -> OptionalOf:
    return type if isinstance(type, OptionalOf) else OptionalOf(of=type)


def _constrained(type: FieldType, constraints: Constraints) -> FieldType:
    if not constraints.said:
        return type
    if isinstance(type, OptionalOf):
        return OptionalOf(of=_constrained(type.of, constraints))
    return ConstrainedOf(of=type, constraints=constraints)


def _union(options: list[FieldType]) -> FieldType:
    # By their JSON: what a field of an object has as its default need not be hashable.
    flat: dict[str, FieldType] = {}
    for option in options:
        inner = option.of if isinstance(option, OptionalOf) else option
        types = inner.options if isinstance(inner, UnionOf) else (inner,)
        flat.update({each.model_dump_json(): each for each in types})
    distinct = tuple(flat.values())
    union = distinct[0] if len(distinct) == 1 else UnionOf(options=distinct)
    return _nullable(union) if any(isinstance(each, OptionalOf) for each in options) else union
