"""The Python type of a field type: plain to show it to a model, constrained to validate with."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Optional, Union, assert_never

from pydantic import BeforeValidator, Field, JsonValue, Strict, StrictBool
from pydantic_core import PydanticCustomError

from domain.signature.types import (
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    OptionalOf,
    Primitive,
    PrimitiveName,
    UnionOf,
)

_BULLET = re.compile(
    r"^\s*(?:[-*•]\s+|\(?\d{1,3}[.):]\s+|step\s+\d{1,3}\s*[.:)-]\s*)", re.IGNORECASE
)
_WORDS = {"true": True, "false": False}


def annotation(type: FieldType) -> Any:
    """The plain Python type of *type*, as a prompt names it: ``float`` for a probability."""
    return _build(type, _PLAIN)


def constrained(type: FieldType, *, strict: bool = False) -> Any:
    """The type pydantic validates *type* with; texts are read as numbers unless *strict*."""
    return _build(type, _STRICT if strict else _LAX)


def steps(text: str) -> list[str]:
    """The steps of a chain of reasoning: its lines without bullets and numbers."""
    lines = (_BULLET.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _build(type: FieldType, primitives: Mapping[PrimitiveName, Any]) -> Any:
    match type:
        case Primitive():
            return primitives[type.name]
        case ListOf():
            return list[_build(type.item, primitives)]  # type: ignore[misc]  # built at run time
        case DictOf():
            # Keys of JSON are texts, also in strict mode.
            return dict[_build(type.key, _PLAIN), _build(type.value, primitives)]  # type: ignore[misc]  # built at run time
        case EnumOf():
            return Literal[type.values]
        case OptionalOf():
            return Optional[_build(type.of, primitives)]  # noqa: UP045 - the operator refuses Any
        case UnionOf():
            return Union[tuple(_build(option, primitives) for option in type.options)]  # noqa: UP007 - the operator needs names
        case _:
            assert_never(type)


def _boolean(value: object) -> object:
    return _WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "Input should be a number, not true or false")
    return value


def _steps(value: object) -> object:
    return steps(value) if isinstance(value, str) else value


_Boolean = Annotated[StrictBool, BeforeValidator(_boolean)]
_Integer = Annotated[int, BeforeValidator(_number)]
_Float = Annotated[float, BeforeValidator(_number)]
_StrictInteger = Annotated[int, Strict()]
_StrictFloat = Annotated[float, Strict()]
_Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_number)]
_StrictShare = Annotated[float, Strict(), Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0), BeforeValidator(_number)]
_StrictCount = Annotated[int, Strict(), Field(ge=0)]

_PLAIN: Mapping[PrimitiveName, Any] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list[Any],
    "map": dict[str, Any],
    "any": Any,
    "probability": float,
    "confidence_score": float,
    "reasoning_chain": list[str],
    "embedding": list[float],
    "token_count": int,
}
_LAX: Mapping[PrimitiveName, Any] = {
    "string": str,
    "integer": _Integer,
    "float": _Float,
    "boolean": _Boolean,
    "array": list[JsonValue],
    "map": dict[str, JsonValue],
    "any": JsonValue,
    "probability": _Share,
    "confidence_score": _Share,
    "reasoning_chain": Annotated[list[str], BeforeValidator(_steps)],
    "embedding": list[_Float],
    "token_count": _Count,
}
_STRICT: Mapping[PrimitiveName, Any] = {
    **_LAX,
    "integer": _StrictInteger,
    "float": _StrictFloat,
    "boolean": StrictBool,
    "probability": _StrictShare,
    "confidence_score": _StrictShare,
    "reasoning_chain": list[str],
    "embedding": list[_StrictFloat],
    "token_count": _StrictCount,
}
