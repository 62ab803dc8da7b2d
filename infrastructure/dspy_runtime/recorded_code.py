"""Code that a model wrote is run once; from then on the log answers what came of it."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple, cast

import dspy
from dspy.primitives.code_interpreter import CodeExecutionError, FinalOutput
from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from application.lm_ports import ProgramFailed
from application.payloads import Payload
from application.tool_ports import ToolFailed
from domain.module.errors import NO_CODE
from domain.values import Failure
from infrastructure.dspy_runtime.interpreter import CannotRunCode, ClosedInterpreter, Limits
from infrastructure.dspy_runtime.recording import calling_node
from infrastructure.dspy_runtime.side_calls import refused_once, side_call, within_code

LANGUAGE = "python"


class _Piece(NamedTuple):
    """Code with its variables, and the settings of DSPy under which it runs."""

    code: str
    variables: dict[str, Any]
    within: dict[str, object]


class RecordedInterpreter:
    """An interpreter whose every piece of code is a fact of the run.

    A run that goes on where its log ends has a fresh process: what the log answered is run there
    first, so that its variables are there again.
    """

    def __init__(self, inner: ClosedInterpreter) -> None:
        self.tools: dict[str, Callable[..., Any]] = {}
        self.output_fields: list[dict[str, Any]] | None = None
        self._inner = inner
        self._answered: list[_Piece] = []
        self._before = ""

    def start(self) -> None:
        """Nothing: a replay needs no process."""

    def execute(self, code: str, variables: Mapping[str, Any] | None = None) -> Any:
        """What came of *code*, now or when it was recorded.

        Raises:
            CodeExecutionError, SyntaxError: It failed; the model is told.
            RunStopped: The run ends now.
        """
        if hidden := [name for name in self.tools if name.startswith("_")]:
            # DSPy's own way to build predictors on this side; it also differs in every process.
            raise CodeExecutionError(f"There is no tool {hidden[0]} for code.")
        given = cast("dict[str, Any]", to_jsonable_python(dict(variables or {}), fallback=str))
        before = len(self._answered)
        self._answered.append(_Piece(code, given, within_code(code)))
        arguments: dict[str, JsonValue] = {"code": code, "variables": given}
        do, node = partial(self._run, before), _node()
        # What comes of it depends on the variables that all pieces before it left.
        identity, self._before = self._before, Payload.of([self._before, arguments]).ref.digest
        try:
            came = side_call("code", node, LANGUAGE, arguments, do, identity=identity)
        except ToolFailed as error:
            raise CodeExecutionError(error.failure.message) from error
        return _told(cast("Mapping[str, JsonValue]", came))

    def shutdown(self) -> None:
        """End the process, if there is one."""
        self._inner.shutdown()

    def _run(self, number: int) -> JsonValue:
        """Run piece *number*, after all that only the log has run so far."""
        self._inner.tools, self._inner.output_fields = self.tools, self.output_fields
        came: dict[str, JsonValue] = {}
        for piece in self._answered[: number + 1]:
            with dspy.context(**piece.within):
                came = _came(self._inner, piece.code, piece.variables)
        self._answered[: number + 1] = []
        return came


class Interpreters:
    """Makes the interpreters of runs; without *limits* no code may run."""

    execution_instructions = ClosedInterpreter.execution_instructions

    def __init__(self, limits: Limits | None) -> None:
        self._limits = limits

    def __call__(self) -> RecordedInterpreter:
        """An interpreter for one run of a module.

        Raises:
            ProgramFailed: Code is not allowed here, or this machine cannot keep it in.
        """
        try:
            refused_once(_node(), LANGUAGE, self._refusal)
        except ToolFailed as error:
            raise ProgramFailed(error.failure) from error
        # In a replay the log answers, so no process is started, whatever is allowed by now.
        return RecordedInterpreter(ClosedInterpreter(self._limits or Limits()))

    def _refusal(self) -> Failure | None:
        if self._limits is None:
            return Failure(code="module.code_not_allowed", message=NO_CODE)
        if (why := _why_not(self._limits)) is not None:
            return Failure(code="module.code_cannot_run", message=why)
        return None


def _node() -> str:
    return calling_node() or "unknown"


@cache
def _why_not(limits: Limits) -> str | None:
    """Why no process can be closed here, found out once by closing one."""
    interpreter = ClosedInterpreter(limits)
    try:
        interpreter.start()
    except CannotRunCode as error:
        return str(error)
    finally:
        interpreter.shutdown()
    return None


def _came(inner: ClosedInterpreter, code: str, variables: dict[str, Any]) -> dict[str, JsonValue]:
    try:
        result = inner.execute(code, variables)
    except SyntaxError as error:
        return {"syntax": str(error)}
    except CodeExecutionError as error:
        return {"error": str(error)}
    return {"final": result.output} if isinstance(result, FinalOutput) else {"result": result}


def _told(came: Mapping[str, JsonValue]) -> Any:
    if "final" in came:
        return FinalOutput(came["final"])
    if "syntax" in came:
        raise SyntaxError(str(came["syntax"]))
    if "error" in came:
        raise CodeExecutionError(str(came["error"]))
    return came["result"]
