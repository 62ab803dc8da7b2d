"""The state of a program: read from and written to DSPy's predictors, without DSPy's loader.

That loader sets whatever attribute a state names.
"""

from typing import Any, cast

import dspy
from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from application.lm_ports import JsonObject, ProgramFailed
from domain.program.edits import Edits
from domain.program.errors import InvalidState
from domain.program.state import read_state
from domain.text import mended
from domain.values import Failure


def dumped(program: dspy.Module) -> dict[str, JsonValue]:
    """The state of *program*; equal programs have equal states, whatever model they ran on."""
    return {path: _dumped(predictor) for path, predictor in program.named_predictors()}


def load(program: dspy.Module, state: JsonObject) -> None:
    """Give every predictor of *program* its part of *state*, or change nothing.

    Raises:
        ProgramFailed: The state is not one of this program, or holds more than a state may.
    """
    try:
        parts = read_state(dict(state))
    except InvalidState as error:
        raise ProgramFailed(_invalid(_first(error))) from error
    predictors = dict(program.named_predictors())
    if parts.keys() != predictors.keys():
        named = ", ".join(sorted(parts.keys() ^ predictors.keys()))
        raise ProgramFailed(_invalid(f"these predictors are not in both: {named}"))
    for path, predictor in predictors.items():
        if len(parts[path].signature.fields) != len(predictor.signature.fields):
            raise ProgramFailed(_invalid(f"{path} has other fields"))
    for path, predictor in predictors.items():
        predictor.signature = predictor.signature.load_state(parts[path].signature.model_dump())
        predictor.demos = [dict(demo) for demo in parts[path].demos]


def edit(program: dspy.Module, edits: Edits) -> None:
    """Give predictors of *program* the instructions and demos that *edits* say, or change nothing.

    Raises:
        ProgramFailed: A predictor that was edited is not there.
    """
    predictors = dict(program.named_predictors())
    if missing := sorted(edits.keys() - predictors.keys()):
        named = f"it was edited at {', '.join(missing)}, which are no predictors of it"
        raise ProgramFailed(_invalid(named))
    for path, each in edits.items():
        predictor = predictors[path]
        if each.instructions is not None:
            predictor.signature = predictor.signature.with_instructions(each.instructions)
        if each.demos is not None:
            predictor.demos = [dict(demo) for demo in each.demos]


def _dumped(predictor: dspy.Predict) -> JsonValue:
    demos = [_json(dict(demo.items())) for demo in predictor.demos]
    return {
        "traces": [],
        "train": [],
        "demos": demos,
        "signature": _json(predictor.signature.dump_state()),
        "lm": None,
    }


def _json(value: Any) -> JsonValue:
    return mended(cast("JsonValue", to_jsonable_python(value)))


def _first(error: InvalidState) -> str:
    fault = error.faults[0]
    return f"{fault.pointer.removeprefix('/').replace('/', '.')}: {fault.message}"


def _invalid(why: str) -> Failure:
    return Failure(
        code="program.state_invalid", message=f"This state does not fit the program: {why}."
    )
