"""A condition as the Python expression that a person would write for it."""

from collections.abc import Mapping
from typing import Final, assert_never

from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Condition, Not

_SIGNS: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in": "in"}


def condition_text(condition: Condition, values: Mapping[str, str]) -> str:
    """The expression of *condition*; *values* are the expressions of its fields."""
    match condition:
        case Comparison(op="contains", field=field, value=value):
            return f"{value!r} in {values[field]}"
        case Comparison(op=op, field=field, value=value):
            return f"{values[field]} {_SIGNS[op]} {value!r}"
        case Check(op="empty", field=field):
            return f"{values[field]} in (None, '', [], {{}})"
        case Check(field=field):
            return values[field]
        case AllOf() | AnyOf():
            word = " and " if condition.op == "all" else " or "
            return word.join(_within(part, values) for part in condition.of)
        case Not():
            return f"not {_within(condition.of, values)}"
        case _:
            assert_never(condition)


def _within(condition: Condition, values: Mapping[str, str]) -> str:
    text = condition_text(condition, values)
    return text if isinstance(condition, Check) and condition.op == "true" else f"({text})"
