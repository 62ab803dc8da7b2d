"""Field types of Python's annotations and of pydantic's models. Nothing is imported by name."""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from domain.errors import Fault
from domain.signature.constraints import Constraints
from domain.signature.errors import InvalidSignature
from domain.signature.types import (
    PRIMITIVES,
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

_WORDS: Final[Mapping[Any, FieldType]] = {
    Any: PRIMITIVES["any"],
    object: PRIMITIVES["any"],
    str: STRING,
    int: PRIMITIVES["integer"],
    float: PRIMITIVES["float"],
    bool: PRIMITIVES["boolean"],
    list: PRIMITIVES["array"],
    dict: PRIMITIVES["map"],
    Decimal: PRIMITIVES["float"],
    **dict.fromkeys((UUID, date, datetime, time, timedelta), STRING),
}
_LISTS: Final = frozenset({list, tuple, set, frozenset, Sequence, Iterable})
_MAPS: Final = frozenset({dict, Mapping})
_SECRET: Final = (SecretStr, SecretBytes)
_COUNTS: Final = {"min_length": "min_items", "max_length": "max_items"}
_COUNTED: Final = frozenset({"array", "map", "embedding", "reasoning_chain"})
_JSON: Final = TypeAdapter(Any)


@dataclass(frozen=True, slots=True)
class As:
    """Within ``Annotated``: the field type that stands for the annotation, whatever it is."""

    type: FieldType


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep models within models are followed; what lies deeper is left out, or refused.

    A model within itself, directly or through *within*, always lies too deep.
    """

    levels: int
    leaves_out: bool = False
    within: frozenset[type] = frozenset()

    def inside(self, model: type) -> "Depth":
        return replace(self, levels=self.levels - 1, within=self.within | {model})


class TooDeep(Exception):
    """A model lies deeper within others than was asked for."""


def type_of(annotation: Any, where: str, depth: Depth) -> FieldType:
    """The field type of *annotation*, with models as deep as *depth* says.

    Raises:
        InvalidSignature: It has none; the fault lies at *where*.
        TooDeep: There are models beyond.
    """
    if annotation in _WORDS:
        return _WORDS[annotation]
    if isinstance(annotation, type) and not get_origin(annotation):
        return _class(annotation, where, depth)
    if isinstance(annotation, NewType):
        return type_of(annotation.__supertype__, where, depth)
    return _generic(annotation, where, depth)


def marked(bare: FieldType, marks: Iterable[object]) -> FieldType:
    """*bare* within the bounds that *marks* of ``Annotated`` set, or what they put in its place."""
    said: dict[str, Any] = {}
    for mark in _flat(marks):
        if isinstance(mark, As):
            bare = mark.type
        said |= dict(_bounds(mark))
    inner = bare.of if isinstance(bare, OptionalOf) else bare
    counted = isinstance(inner, ListOf | DictOf) or (
        isinstance(inner, Primitive) and inner.name in _COUNTED
    )
    named = {_COUNTS.get(name, name) if counted else name: it for name, it in said.items()}
    return ConstrainedOf(of=bare, constraints=Constraints(**named)) if named else bare


def field_of(name: str, field: FieldInfo, where: str, depth: Depth) -> FieldSpec:
    """A field of a model as one of a signature.

    Raises:
        InvalidSignature: Its type has no counterpart.
        TooDeep: It holds models beyond *depth*.
    """
    bare = type_of(field.annotation, where, depth)
    spec = FieldSpec(
        name=name,
        type=marked(bare, field.metadata),
        description=field.description or None,
        optional=not field.is_required(),
    )
    if field.default in (PydanticUndefined, None):
        return spec
    default = _JSON.dump_python(field.default, mode="json")
    return spec.model_copy(update={"has_default": True, "default": default})


def public_fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The fields of *model* that leave it, by the names they have outside, but for secrets."""
    model.model_rebuild(raise_errors=False)  # it may name classes that came after it
    return {
        _name(name, field): field
        for name, field in model.model_fields.items()
        if not field.exclude and not _is_secret(field.annotation)
    }


def _is_secret(annotation: Any) -> bool:
    return annotation in _SECRET or any(map(_is_secret, get_args(annotation)))


def _name(name: str, field: FieldInfo) -> str:
    return field.serialization_alias or field.alias or name


def _class(annotation: type, where: str, depth: Depth) -> FieldType:
    if issubclass(annotation, BaseModel):
        return ObjectOf(fields=_fields(annotation, where, depth))
    if issubclass(annotation, Enum):
        return _words(tuple(member.value for member in annotation), annotation, where)
    raise _unknown(annotation, where)


def _fields(model: type[BaseModel], where: str, depth: Depth) -> tuple[FieldSpec, ...]:
    if not depth.levels or model in depth.within:
        raise TooDeep
    found: list[FieldSpec] = []
    for name, field in public_fields(model).items():
        try:
            found.append(field_of(name, field, f"{where}/{name}", depth.inside(model)))
        except TooDeep:
            if not depth.leaves_out:
                raise
    if not found:
        message = f"{model.__name__} has no field that can be shown. Leave it out, or use a dict."
        raise InvalidSignature([Fault(where, "fields.none", message)])
    return tuple(found)


def _generic(annotation: Any, where: str, depth: Depth) -> FieldType:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return marked(type_of(arguments[0], where, depth), arguments[1:])
    if origin is Literal:
        return _words(arguments, annotation, where)
    if origin in (Union, types.UnionType):
        options = [type_of(it, where, depth) for it in arguments if it is not type(None)]
        chosen = options[0] if len(options) == 1 else UnionOf(options=tuple(options))
        return OptionalOf(of=chosen) if len(options) < len(arguments) else chosen
    inner = [type_of(it, where, depth) for it in arguments if it is not ...]
    if origin in _LISTS and len(inner) == 1:
        return ListOf(item=inner[0])
    if origin in _MAPS:
        return DictOf(key=inner[0], value=inner[1])
    raise _unknown(annotation, where)


def _words(values: tuple[Any, ...], annotation: Any, where: str) -> FieldType:
    if not all(isinstance(value, str) for value in values):
        raise _unknown(annotation, where)
    return EnumOf(values=tuple(str(value) for value in values))


def _flat(marks: Iterable[object]) -> Iterator[object]:
    for mark in marks:
        if isinstance(mark, FieldInfo):
            yield from mark.metadata
        else:
            yield mark


def _bounds(mark: object) -> Iterator[tuple[str, object]]:
    for name in Constraints.model_fields:
        value = getattr(mark, name, None)
        value = float(value) if isinstance(value, Decimal) else getattr(value, "pattern", value)
        if value is not None and _is_bound(name, value):
            yield name, value


def _is_bound(name: str, value: object) -> bool:
    """Whether it is one here: dates have bounds, too, and a least length of 0 is none."""
    try:
        Constraints.model_validate({name: value})
    except ValidationError:
        return False
    return (name, value) != ("min_length", 0)


def _unknown(annotation: Any, where: str) -> InvalidSignature:
    message = (
        f"{annotation} has no counterpart among the types of a field. Use str, int, float, bool, "
        "list, dict, Literal, Optional, Union, or a pydantic model."
    )
    return InvalidSignature([Fault(where, "type.unknown", message)])
