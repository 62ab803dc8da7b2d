"""The types of what is the same for every tenant, read off the models that HTTP shows."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLString,
)
from pydantic import BaseModel

from domain.program.graph import ProgramGraph
from domain.signature.fields import SignatureSpec
from infrastructure.called import capitalized
from infrastructure.graphql.scalars import DATE_TIME, DECIMAL, INTEGER, JSON
from infrastructure.graphql.types import Type, nullable

_SCALARS: Final[dict[object, GraphQLScalarType]] = {
    str: GraphQLString,
    int: INTEGER,
    float: GraphQLFloat,
    bool: GraphQLBoolean,
    UUID: GraphQLID,
    datetime: DATE_TIME,
    Decimal: DECIMAL,
}
_AS_JSON: Final = (ProgramGraph, SignatureSpec)
"""They are what the documents of REST say; hundreds of types would tell nothing more."""


def object_type(name: str, model: type[BaseModel]) -> GraphQLObjectType:
    """The type *name* of the rows of *model*, with the same fields in GraphQL's spelling."""
    fields = {
        _camel(field): GraphQLField(
            _type(f"{name}{capitalized(field)}", info.annotation),  # type: ignore[arg-type]  # made here
            resolve=_reading(field),
            description=info.description,
        )
        for field, info in model.model_fields.items()
    }
    return GraphQLObjectType(name, fields, description=(model.__doc__ or name).partition("\n")[0])


def _camel(name: str) -> str:
    """``program_id`` as ``programId``."""
    words = capitalized(name)
    return words[0].lower() + words[1:]


def _type(name: str, annotation: Any) -> Type:
    """The type of what is declared as *annotation*; *name* is for one that has fields."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(name, arguments[0])
    if origin in (Union, UnionType) and NoneType in arguments:
        (inner, *more) = (each for each in arguments if each is not NoneType)
        return JSON if more else nullable(_type(name, inner))
    if origin is Literal:
        return GraphQLNonNull(GraphQLString)
    if origin is tuple:
        return GraphQLNonNull(GraphQLList(_type(name, arguments[0])))
    if isinstance(annotation, type):
        return _plain(name, cast("type[object]", annotation))
    return JSON


def _plain(name: str, annotation: type[object]) -> Type:
    if annotation in _AS_JSON:
        return GraphQLNonNull(JSON)
    if issubclass(annotation, BaseModel):
        return GraphQLNonNull(object_type(name, annotation))
    if issubclass(annotation, StrEnum):
        return GraphQLNonNull(GraphQLString)
    return GraphQLNonNull(_SCALARS.get(annotation, JSON))


def _reading(field: str) -> Callable[[object, GraphQLResolveInfo[Any]], object]:
    def read(row: object, info: GraphQLResolveInfo[Any]) -> object:
        del info
        return getattr(row, field)

    return read
