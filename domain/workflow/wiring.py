"""The values of a run of a workflow: what an action is given, and whether a condition holds."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, assert_never

from pydantic import JsonValue

from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Condition, Not
from domain.workflow.values import Action, Fixed

Values = Mapping[str, JsonValue]

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge,
}  # fmt: skip


def given_to(action: Action, inputs: Values, outputs: Mapping[str, Values]) -> dict[str, JsonValue]:
    """What *action* is given, of the *inputs* of the run and the *outputs* of the steps done.

    What a skipped step would have given is null.
    """
    return {
        name: origin.value
        if isinstance(origin, Fixed)
        else (inputs if origin.step is None else outputs.get(origin.step, {})).get(origin.field)
        for name, origin in action.inputs.items()
    }


def holds(condition: Condition, inputs: Values, outputs: Mapping[str, Values]) -> bool:
    """Whether *condition* is met; what a step gave is asked of as ``step.field``."""
    known = dict(inputs)
    for step, given in outputs.items():
        known |= {f"{step}.{name}": value for name, value in given.items()}
    return _holds(condition, known)


def _holds(condition: Condition, values: Values) -> bool:
    match condition:
        case Comparison():
            return _compared(condition, values.get(condition.field))
        case Check(op="true", field=field):
            return values.get(field) is True
        case Check(field=field):
            return values.get(field) in (None, "", [], {})
        case AllOf():
            return all(_holds(part, values) for part in condition.of)
        case AnyOf():
            return any(_holds(part, values) for part in condition.of)
        case Not():
            return not _holds(condition.of, values)
        case _:
            assert_never(condition)


def _compared(asked: Comparison, value: JsonValue) -> bool:
    wanted: Any = asked.value
    match asked.op:
        case "in":
            return value in wanted
        case "contains":
            held: Any = value
            return wanted in held
        case op:
            compared: Any = value
            return _COMPARE[op](compared, wanted)
