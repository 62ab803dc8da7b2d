"""The types of a signature's values in GraphQL: what fits is typed, anything else is JSON."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final, Generic, TypeVar, assert_never

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLFloat,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
)

from domain.signature.annotations import bounds_of
from domain.signature.constraints import Constraints
from domain.signature.types import (
    CodeOf,
    ConstrainedOf,
    DictOf,
    EnumOf,
    FieldSpec,
    FieldType,
    ListOf,
    ObjectOf,
    OptionalOf,
    Primitive,
    PrimitiveName,
    UnionOf,
)
from infrastructure.called import digest
from infrastructure.graphql.scalars import INTEGER, JSON, PROBABILITY

Object = TypeVar("Object", GraphQLInputObjectType, GraphQLObjectType)
ObjectType = GraphQLInputObjectType | GraphQLObjectType
Named = GraphQLScalarType | GraphQLEnumType | ObjectType
Nullable = Named | GraphQLList["Type"]
Type = Nullable | GraphQLNonNull[Nullable]

_NAME: Final = re.compile(r"(?!__|true$|false$|null$)[A-Za-z_][A-Za-z0-9_]*")
_LETTERS: Final = re.compile(r"[A-Za-z0-9]+")
_INT: Final = 2**31
_PRIMITIVES: Final[dict[PrimitiveName, GraphQLScalarType]] = {
    "string": GraphQLString,
    "integer": INTEGER,
    "float": GraphQLFloat,
    "boolean": GraphQLBoolean,
    "map": JSON,
    "probability": PROBABILITY,
    "confidence_score": PROBABILITY,
    "token_count": INTEGER,
    "image": GraphQLString,
    "audio": GraphQLString,
    "file": GraphQLString,
    "history": JSON,
}
_ITEMS: Final[dict[PrimitiveName, GraphQLScalarType]] = {
    "reasoning_chain": GraphQLString,
    "embedding": GraphQLFloat,
}


class _Types(ABC, Generic[Object]):
    """Makes the types of one side of a signature; those within are called after their place."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    @abstractmethod
    def object(self, name: str, fields: Sequence[FieldSpec], said: str | None = None) -> Object:
        """The type *name* of an object with *fields*, described by *said*."""

    def _types(self, name: str, fields: Sequence[FieldSpec]) -> Iterator[tuple[FieldSpec, Type]]:
        """Each of the *fields* of *name* with its type; one that may be left out may be null."""
        for each in fields:
            found = self._type(f"{name}_{each.name}", each.type)
            yield each, nullable(found) if each.optional else found

    def _type(self, place: str, type: FieldType) -> Type:
        """*type* at *place*; what may be null is so, and nothing else."""
        match type:
            case Primitive():
                return _primitive(type.name)
            case CodeOf():
                return GraphQLNonNull(GraphQLString)
            case ListOf():
                return GraphQLNonNull(GraphQLList(self._type(place, type.item)))
            case DictOf():
                return GraphQLNonNull(JSON)
            case EnumOf():
                return GraphQLNonNull(GraphQLEnumType(self._name(place), dict(_words(type.values))))
            case OptionalOf():
                return nullable(self._type(place, type.of))
            case UnionOf():
                return JSON
            case ObjectOf():
                return GraphQLNonNull(self.object(self._name(place), type.fields))
            case ConstrainedOf():
                found = self._type(place, type.of)
                is_small = nullable(found) is INTEGER and _is_small(bounds_of(type))
                return GraphQLNonNull(GraphQLInt) if is_small else found
            case _:
                assert_never(type)

    def _name(self, place: str) -> str:
        """A name for the type at *place*; ``a_b`` within ``c`` is not ``b`` within ``c_a``."""
        name = place
        while name in self._taken:
            name += f"_{digest(name)}"
        self._taken.add(name)
        return name


class Inputs(_Types[GraphQLInputObjectType]):
    """The types of what a program takes."""

    def object(
        self, name: str, fields: Sequence[FieldSpec], said: str | None = None
    ) -> GraphQLInputObjectType:
        made = {
            each.name: GraphQLInputField(found, description=_said(each))  # type: ignore[arg-type]  # made here
            for each, found in self._types(name, fields)
        }
        return GraphQLInputObjectType(name, made, description=said)


class Outputs(_Types[GraphQLObjectType]):
    """The types of what a program gives."""

    def object(
        self, name: str, fields: Sequence[FieldSpec], said: str | None = None
    ) -> GraphQLObjectType:
        made = {
            each.name: GraphQLField(found, description=each.description)  # type: ignore[arg-type]  # made here
            for each, found in self._types(name, fields)
        }
        return GraphQLObjectType(name, made, description=said)


def nullable(type: Type) -> Nullable:
    """*type*, or null."""
    return type.of_type if isinstance(type, GraphQLNonNull) else type


def _said(spec: FieldSpec) -> str | None:
    if not spec.has_default:
        return spec.description
    told = f"{json.dumps(spec.default, ensure_ascii=False)} if left out."
    return told if spec.description is None else f"{spec.description} {told}"


def _primitive(name: PrimitiveName) -> Type:
    if name == "any":
        return JSON
    if name == "array":
        return GraphQLNonNull(GraphQLList(JSON))
    if (item := _ITEMS.get(name)) is not None:
        return GraphQLNonNull(GraphQLList(GraphQLNonNull(item)))
    return GraphQLNonNull(_PRIMITIVES[name])


def _is_small(bounds: Constraints) -> bool:
    """Whether every number within *bounds* is one of GraphQL's own integers."""
    said = bounds.said
    least, most = said.get("ge", said.get("gt")), said.get("le", said.get("lt"))
    return (
        isinstance(least, int | float)
        and isinstance(most, int | float)
        and least >= -_INT
        and most < _INT
    )


def _words(values: Sequence[str]) -> Iterator[tuple[str, GraphQLEnumValue]]:
    """Each of *values* under a name that GraphQL takes: itself wherever it is one."""
    taken = {each for each in values if _NAME.fullmatch(each)}
    for value in values:
        if value in taken:
            yield value, GraphQLEnumValue(value)
            continue
        name = "_".join(_LETTERS.findall(value))
        if not _NAME.fullmatch(name) or name in taken:
            name = f"value_{name}_{digest(value)}" if name else f"value_{digest(value)}"
        taken.add(name)
        yield name, GraphQLEnumValue(value, description=value)
