"""What a branch or a loop asks of its values: comparisons as data, never an expression as text."""

import json
from typing import Annotated, Final, Literal, assert_never

from pydantic import Field, JsonValue

from domain.kernel import ValueObject

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "contains"]


class Comparison(ValueObject):
    """A field against a value.

    ``in`` takes a list of values; ``contains`` asks whether a text or a list holds the value.
    """

    op: Operator
    field: str
    value: JsonValue


class Check(ValueObject):
    """A field by itself: ``empty`` is null, no text or no items; ``true`` is for a boolean."""

    op: Literal["empty", "true"]
    field: str


class AllOf(ValueObject):
    op: Literal["all"]
    of: Annotated[tuple["Condition", ...], Field(min_length=1, max_length=20)]


class AnyOf(ValueObject):
    op: Literal["any"]
    of: Annotated[tuple["Condition", ...], Field(min_length=1, max_length=20)]


class Not(ValueObject):
    op: Literal["not"]
    of: "Condition"


Condition = Annotated[Comparison | Check | AllOf | AnyOf | Not, Field(discriminator="op")]

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()

_WORDS: Final = {
    "eq": "is", "ne": "is not", "lt": "<", "le": "≤", "gt": ">", "ge": "≥",
    "in": "is one of", "contains": "contains",
}  # fmt: skip


def described(condition: Condition) -> str:
    """*condition* as a person says it: ``level ≥ 3 and not (text is empty)``."""
    match condition:
        case Comparison(op=op, field=field, value=value):
            return f"{field} {_WORDS[op]} {json.dumps(value, ensure_ascii=False)}"
        case Check(op=op, field=field):
            return f"{field} is {op}"
        case AllOf():
            return " and ".join(map(_within, condition.of))
        case AnyOf():
            return " or ".join(map(_within, condition.of))
        case Not():
            return f"not ({described(condition.of)})"
        case _:
            assert_never(condition)


def _within(condition: Condition) -> str:
    several = isinstance(condition, AllOf | AnyOf)
    return f"({described(condition)})" if several else described(condition)
