"""An engine that answers from a script: programs are tried without a model, a key or DSPy.

The file is ``{"rules": [...], "default": {...}, "trials": [...]}``. A rule has ``inputs`` (values
by field that all have to be so; none fits everything), and says what happens: ``outputs`` by field,
or ``failure``; besides ``latency_ms`` and ``times`` (how often it applies). The first that fits
wins.
Outputs that no rule names are made up by their types. ``trials`` are the scores that an optimizer
finds; what it finds is the program as it was.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from application.lm_ports import (
    CallJournal,
    Forwarded,
    JsonObject,
    ModelChoice,
    OptimizedProgram,
    OptimizerJob,
    ProgramFailed,
    RunnableProgram,
    TimeIsOver,
)
from domain.module.values import ModuleSpec
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import SignatureSpec
from domain.signature.schemas import json_schema
from domain.signature.validation import validate_inputs, validate_outputs
from domain.values import Failure, Score
from infrastructure.made_up import made_up

ENGINE: Final = "scripted"


class ScriptIsInvalid(Exception):
    """The script of ``STRATAL_ENGINE`` cannot be used; the message says where."""

    code: ClassVar[str] = "engine.script_invalid"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Strict):
    inputs: dict[str, JsonValue] = {}
    outputs: dict[str, JsonValue] = {}
    failure: Failure | None = None
    latency_ms: Annotated[float, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = None

    def fits(self, inputs: JsonObject) -> bool:
        """Whether the rule is about these *inputs*."""
        return all(inputs.get(name) == value for name, value in self.inputs.items())


class Script(_Strict):
    rules: tuple[Rule, ...] = ()
    default: Rule = Rule()
    trials: tuple[Score, ...] = (1.0,)


class ScriptedEngine:
    """Answers by *script*; it records no calls, for it makes none."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._used = [0] * len(script.rules)

    @classmethod
    def from_file(cls, path: Path) -> "ScriptedEngine":
        """Read the script at *path*.

        Raises:
            ScriptIsInvalid: There is no such file, or it is not a script.
        """
        try:
            return cls(Script.model_validate_json(path.read_bytes()))
        except OSError as error:
            raise ScriptIsInvalid(f"There is no script at {path}. Mend STRATAL_ENGINE.") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "/".join(str(step) for step in first["loc"])
            message = f"The script {path} cannot be used: {where}: {first['msg']}."
            raise ScriptIsInvalid(message) from error

    def configure(self, model: ModelChoice) -> None:
        """Whatever the *model* is, it is not asked."""

    def create_module(self, module: ModuleSpec) -> None:
        """Whatever the *module* is, its answers are scripted."""

    def create_program(self, program: RunnableProgram) -> None:
        """Whatever the *program* is, its answers are scripted."""

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        """What the script says of these *inputs*, validated like the answer of a model.

        Raises:
            ProgramFailed: The script says so, or the inputs or outputs do not fit.
            TimeIsOver: It takes longer than *within_s*.
        """
        del journal, live
        return self._answer(program, inputs, within_s)

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        """What the script says of each inputs of *batch*."""
        del journal
        return [self._forwarded(program, inputs) for inputs in batch]

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        """Report the trials of the script; each candidate is the program as it is."""
        del journal
        state = dict(job.program.state or {})
        for number, score in enumerate(self._script.trials, 1):
            on_trial(number, score, state)
        return OptimizedProgram(state, self._script.trials[-1] if self._script.trials else None)

    def pins(self, seed: int) -> dict[str, str]:
        """The seed: there is nothing else that a script depends on."""
        return {"engine": ENGINE, "seed": str(seed)}

    def _forwarded(self, program: RunnableProgram, inputs: JsonObject) -> Forwarded:
        try:
            return Forwarded(self._answer(program, inputs, None), None)
        except ProgramFailed as failed:
            return Forwarded(None, failed.failure)

    def _answer(
        self, program: RunnableProgram, inputs: JsonObject, within_s: float | None
    ) -> JsonObject:
        signature = program.graph.signature
        try:
            given = validate_inputs(signature, dict(inputs))
        except ValuesDoNotFit as error:
            raise _failed("input.invalid", error) from error
        rule = self._rule(given)
        if within_s is not None and rule.latency_ms > within_s * 1000:
            time.sleep(within_s)
            raise TimeIsOver
        time.sleep(rule.latency_ms / 1000)
        if rule.failure is not None:
            raise ProgramFailed(rule.failure)
        try:
            return validate_outputs(signature, {**_made_up(signature), **rule.outputs})
        except ValuesDoNotFit as error:
            raise _failed("output.invalid", error) from error

    def _rule(self, inputs: JsonObject) -> Rule:
        with self._lock:
            for index, rule in enumerate(self._script.rules):
                is_spent = rule.times is not None and self._used[index] >= rule.times
                if not is_spent and rule.fits(inputs):
                    self._used[index] += 1
                    return rule
        return self._script.default


def _made_up(signature: SignatureSpec) -> dict[str, JsonValue]:
    """A value of its type for every output, the same every time."""
    schema = json_schema(signature.outputs)
    known: Mapping[str, Any] = schema.get("$defs", {})
    parts: Mapping[str, Any] = schema["properties"]
    return {name: made_up({**part, "$defs": known}, name) for name, part in parts.items()}


def _failed(code: str, error: ValuesDoNotFit) -> ProgramFailed:
    return ProgramFailed(Failure(code=code, message=str(error)))
