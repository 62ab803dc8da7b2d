"""The state an optimizer finds: instructions, descriptions and demos of every predictor.

It is DSPy's own JSON form, so plain DSPy can load it, too; but it is written and read here, because
DSPy's loader sets whatever attribute a state names.
"""

from typing import Annotated, Any, Final, cast

import dspy
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from application.lm_ports import JsonObject, ProgramFailed
from domain.text import mended
from domain.values import Failure


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FieldState(_Strict):
    prefix: str
    description: str


class SignatureState(_Strict):
    instructions: str
    fields: list[FieldState]


class PredictorState(_Strict):
    """``lm``, ``traces`` and ``train`` are there for DSPy's sake and always empty."""

    traces: Annotated[list[JsonValue], Field(max_length=0)] = []
    train: Annotated[list[JsonValue], Field(max_length=0)] = []
    demos: list[dict[str, JsonValue]]
    signature: SignatureState
    lm: None = None


_STATE: Final = TypeAdapter(dict[str, PredictorState])
_JSON: Final = TypeAdapter(JsonValue)


def dumped(program: dspy.Module) -> dict[str, JsonValue]:
    """The state of *program*; equal programs have equal states, whatever model they ran on."""
    return {path: _dumped(predictor) for path, predictor in program.named_predictors()}


def load(program: dspy.Module, state: JsonObject) -> None:
    """Give every predictor of *program* its part of *state*, or change nothing.

    Raises:
        ProgramFailed: The state is not one of this program, or holds more than a state may.
    """
    try:
        parts = _STATE.validate_python(dict(state))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ProgramFailed(_invalid(f"{where}: {first['msg']}")) from error
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
    return mended(cast("JsonValue", _JSON.dump_python(value, mode="json")))


def _invalid(why: str) -> Failure:
    return Failure(
        code="program.state_invalid", message=f"This state does not fit the program: {why}."
    )
