"""The state an optimizer finds: instructions, descriptions and demos of every predictor.

It is DSPy's own JSON form, so plain DSPy can load it, too; but only what is named here is ever
taken, because DSPy's loader sets whatever attribute a state names.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from domain.errors import Fault
from domain.program.errors import InvalidState
from domain.text import escape, json_faults

Demo = dict[str, JsonValue]
"""An example of inputs with their outputs, as a predictor shows it to the model."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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
    demos: list[Demo]
    signature: SignatureState
    lm: None = None


State = Mapping[str, PredictorState]
"""By the path of the predictor, as DSPy names it."""

_STATE: Final = TypeAdapter(dict[str, PredictorState])


def read_state(content: object, pointer: str = "") -> State:
    """The state that *content* is.

    Raises:
        InvalidState: It is none, or holds more than a state may; it names every fault.
    """
    if unsafe := list(json_faults(content, pointer)):
        raise InvalidState(unsafe)
    try:
        return _STATE.validate_python(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise InvalidState([
            Fault(
                pointer + "".join(f"/{escape(step)}" for step in each["loc"]),
                each["type"],
                each["msg"],
            )
            for each in found
        ]) from error  # fmt: skip
