"""Bounds on a value beyond its type: a closed set; patterns are never those of ``re``."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StrictFloat,
    StrictInt,
    model_serializer,
)
from pydantic_core import SchemaError, SchemaValidator, core_schema

from domain.kernel import ValueObject

Number = StrictInt | StrictFloat

MAX_BOUND: Final = 2**53
"""Beyond it a float cannot tell whole numbers apart, nor can JSON in most languages."""

MAX_COUNT: Final = 1_000_000
MAX_PATTERN_BYTES: Final = 1000

Count = Annotated[StrictInt, Field(ge=0, le=MAX_COUNT)]


class Constraints(ValueObject):
    """What a value must keep to; what is ``None`` is not asked for, and not written.

    ``pattern`` is found anywhere in the text, in Rust's syntax: matching takes linear time.
    ``min_items`` and ``max_items`` count the items of a list or the entries of a map.
    """

    ge: Number | None = None
    gt: Number | None = None
    le: Number | None = None
    lt: Number | None = None
    multiple_of: Annotated[StrictInt, Field(gt=0, le=MAX_BOUND)] | None = None
    min_length: Count | None = None
    max_length: Count | None = None
    pattern: Annotated[str, Field(min_length=1)] | None = None
    min_items: Count | None = None
    max_items: Count | None = None

    @property
    def said(self) -> Mapping[str, Any]:
        """The constraints that there are, by name."""
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in given if value is not None}

    def __repr_args__(self) -> Iterable[tuple[str, Any]]:
        return self.said.items()

    @model_serializer(mode="wrap")
    def _only_what_was_said(self, write: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # its own schema stays that of the written form
        return {name: value for name, value in write(self).items() if value is not None}


NUMERIC: Final = frozenset({"ge", "gt", "le", "lt"})
WHOLE: Final = NUMERIC | {"multiple_of"}
TEXTUAL: Final = frozenset({"min_length", "max_length", "pattern"})
COUNTED: Final = frozenset({"min_items", "max_items"})


def canonical(constraints: Constraints) -> Constraints:
    """*constraints* with whole bounds written as whole numbers, so that 1.0 and 1 are one bound."""
    return Constraints(**{name: _whole(value) for name, value in constraints.said.items()})


def both(one: Constraints, other: Constraints) -> Constraints:
    """What keeps to *one* and to *other*; of two patterns or divisors that of *other* stays."""
    merged = {**one.said, **other.said}
    for name in one.said.keys() & other.said.keys():
        values = one.said[name], other.said[name]
        if name in _LOWER:
            merged[name] = max(values)
        elif name in _UPPER:
            merged[name] = min(values)
    return Constraints(**merged)


def implies(given: Constraints, wanted: Constraints) -> bool:
    """Whether all that keeps to *given* keeps to *wanted*."""
    return all(_implied(given, name, value) for name, value in wanted.said.items())


def contradictions(constraints: Constraints) -> Iterator[str]:
    """Why nothing, or nothing that can be checked, keeps to *constraints*."""
    said = constraints.said
    for name in NUMERIC & said.keys():
        if not abs(said[name]) <= MAX_BOUND:
            yield f"{name} is beyond {MAX_BOUND}. Use a bound nearer to 0."
    for low, high in (("min_length", "max_length"), ("min_items", "max_items")):
        if low in said and high in said and said[low] > said[high]:
            yield f"{low} is greater than {high}. Swap them."
    lower, upper = _lower(constraints), _upper(constraints)
    if lower > upper or (lower == upper and not _closed_at(constraints, lower)):
        yield "No number is within these bounds. Widen them."
    if fault := _pattern_fault(constraints.pattern):
        yield fault


@lru_cache(maxsize=1024)
def _pattern_fault(pattern: str | None) -> str | None:
    if pattern is None:
        return None
    if len(pattern.encode()) > MAX_PATTERN_BYTES:
        return f"A pattern has at most {MAX_PATTERN_BYTES} bytes. Shorten it."
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return (
            "This pattern is none of Rust's regular expressions, which have no"
            " look-around and no back-references. Rewrite it."
        )
    return None


def _implied(given: Constraints, name: str, value: Any) -> bool:
    if name == "pattern":
        return given.pattern == str(value)
    bound = float(value)
    match name:
        case "ge":
            return _lower(given) >= bound
        case "gt":
            return _lower(given) > bound or bound == _lower(given) == given.gt
        case "le":
            return _upper(given) <= bound
        case "lt":
            return _upper(given) < bound or bound == _upper(given) == given.lt
        case "multiple_of":
            return given.multiple_of is not None and given.multiple_of % bound == 0
        case "min_length" | "min_items":
            return bound <= float(given.said.get(name, 0))
        case _:
            return bound >= float(given.said.get(name, math.inf))


_LOWER: Final = frozenset({"ge", "gt", "min_length", "min_items"})
_UPPER: Final = frozenset({"le", "lt", "max_length", "max_items"})


def _lower(constraints: Constraints) -> float:
    return max((it for it in (constraints.ge, constraints.gt) if it is not None), default=-math.inf)


def _upper(constraints: Constraints) -> float:
    return min((it for it in (constraints.le, constraints.lt) if it is not None), default=math.inf)


def _closed_at(constraints: Constraints, bound: float) -> bool:
    return bound not in (constraints.gt, constraints.lt)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
