"""The scalars beside GraphQL's own: what JSON has, times, shares of one, and whole numbers."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from graphql import GraphQLError, GraphQLScalarType
from pydantic import TypeAdapter

_ANY: Final[TypeAdapter[Any]] = TypeAdapter(Any)


def _json(value: object) -> object:
    return _ANY.dump_python(value, mode="json")


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise GraphQLError("Integer is a whole number, written as one.")
    return value


def _probability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise GraphQLError("Probability is a number from 0 to 1.")
    return float(value)


def _told(form: type[object], tell: Callable[[Any], str]) -> Callable[[object], str]:
    def told(value: object) -> str:
        assert isinstance(value, form), "Rows hold what they declare."
        return tell(value)

    return told


def _unread(value: object) -> object:
    raise GraphQLError(f"This is only ever told, not asked with: {type(value).__name__}.")


JSON: Final = GraphQLScalarType(
    "JSON", description="Any JSON value.", coerce_output_value=_json, coerce_input_value=_json
)
INTEGER: Final = GraphQLScalarType(
    "Integer",
    description="A whole number of any size; Int ends at 2147483647.",
    coerce_output_value=_integer,
    coerce_input_value=_integer,
)
PROBABILITY: Final = GraphQLScalarType(
    "Probability",
    description="A number from 0 to 1.",
    coerce_output_value=_probability,
    coerce_input_value=_probability,
)
DATE_TIME: Final = GraphQLScalarType(
    "DateTime",
    description="A time as ISO 8601 has it, with its zone.",
    coerce_output_value=_told(datetime, datetime.isoformat),
    coerce_input_value=_unread,
)
DECIMAL: Final = GraphQLScalarType(
    "Decimal",
    description="An exact decimal number, as text.",
    coerce_output_value=_told(Decimal, str),
    coerce_input_value=_unread,
)
SCALARS: Final = (JSON, INTEGER, PROBABILITY, DATE_TIME, DECIMAL)
