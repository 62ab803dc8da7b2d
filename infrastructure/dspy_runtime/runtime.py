"""Run a program once: build it, ask its model through the journal, check its outputs."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

import dspy
from dspy.utils.exceptions import AdapterParseError
from pydantic import JsonValue

from application.lm_ports import (
    CallJournal,
    JsonObject,
    ProgramFailed,
    RunnableProgram,
)
from application.tool_ports import NoTools, Toolbox
from application.tracing import NoTracing, Tracing
from application.turns import Turns
from domain.program.values import Adapter
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import SignatureSpec
from domain.signature.validation import validate_inputs, validate_outputs
from domain.values import AS_DSPY, Failure, Reading
from infrastructure.dspy_runtime.adapters import SafeChatAdapter, SafeJsonAdapter
from infrastructure.dspy_runtime.classes import node_of
from infrastructure.dspy_runtime.compiler import ProgramCache
from infrastructure.dspy_runtime.failures import refusal_in
from infrastructure.dspy_runtime.interpreter import Limits
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.reading import failure_at
from infrastructure.dspy_runtime.recorded_code import Interpreters
from infrastructure.dspy_runtime.recording import (
    ModelIsUnavailable,
    RecordingEngine,
    RecordingLM,
)
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.side_calls import SideCalls, settings_of
from infrastructure.dspy_runtime.spans import Spans

# DSPy's cache ignores keys and addresses: it would serve one tenant's answers to another.
dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
# What goes wrong is recorded and traced; DSPy would print prompts to the log.
logging.getLogger("dspy").setLevel(logging.CRITICAL)

UNLIMITED_ERRORS: Final = 1_000_000


class DspyRunner:
    """Runs programs on one *model*; safe to use from several threads."""

    def __init__(
        self,
        model: Model,
        tracing: Tracing | None = None,
        *,
        cache: ProgramCache | None = None,
        retries: Retries | None = None,
        code: Limits | None = None,
        toolbox: Toolbox | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._model = model
        self._tracing = tracing or NoTracing()
        self._cache = cache or ProgramCache()
        self._retries, self._turns = retries, turns
        self._interpreters = Interpreters(code)
        self._toolbox = toolbox or NoTools()

    def run(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        """Run *program* once and return its outputs, validated against its signature.

        Raises:
            ProgramFailed: The model call or its answer failed for good.
            RunStopped: The journal refused, or with ``live=False`` a call was not in it; or there
                was one more call after *within_s* seconds.
        """
        engine = self.engine(journal, live=live, within_s=within_s, fallback=self._model.fallback)
        try:
            with self.settings(engine, program.adapter, program.reading):
                return self.answer(self.program(program), program, inputs)
        except ModelIsUnavailable as stop:
            raise ProgramFailed(stop.failure) from stop

    def engine(
        self,
        journal: CallJournal,
        *,
        live: bool = True,
        within_s: float | None = None,
        fallback: Model | None = None,
    ) -> RecordingEngine:
        """The recorder of one run. What is measured is the model itself: it has no *fallback*."""
        return RecordingEngine(
            self._model,
            journal,
            self._tracing,
            live=live,
            within_s=within_s,
            turns=self._turns,
            retries=self._retries,
            fallback=fallback,
        )

    def program(self, program: RunnableProgram) -> dspy.Module:
        """The built *program*; copy it before you change it."""
        return self._cache.get(program)

    def settings(
        self, engine: RecordingEngine, adapter: Adapter | None, reading: Reading = AS_DSPY
    ) -> AbstractContextManager[None]:
        """DSPy's settings for one run: its model, no history, no cache, spans if anybody traces.

        Without an *adapter* prompts are written as suits the model. *reading* is what is done about
        answers that are not in the form asked for.
        """
        callbacks = [] if isinstance(self._tracing, NoTracing) else [Spans(self._tracing)]
        answer = partial(self._answer_within, reading)
        run = SideCalls(engine.recorder, self._tracing, self._toolbox, answer)
        settings: AbstractContextManager[None] = dspy.context(
            lm=RecordingLM(self._model.model, engine),
            adapter=self._adapter(adapter, reading),
            callbacks=callbacks,
            trace=None,
            disable_history=True,
            track_usage=False,
            num_threads=self._model.concurrency,
            max_errors=UNLIMITED_ERRORS,
            interpreter_factory=self._interpreters,
            **settings_of(run),
        )
        return settings

    def answer(
        self, built: dspy.Module, program: RunnableProgram, inputs: JsonObject
    ) -> dict[str, JsonValue]:
        """Run *built* within ``settings``; *program* says what must come out of it.

        Raises:
            ProgramFailed: The inputs or outputs do not fit, or the model refused the request.
        """
        spec = program.graph.signature
        with self._tracing.span("program", {"stratal.program.key": program.key}):
            with self._tracing.span("validate"):
                given = _fitting_inputs(spec, inputs)
            with _typed_failures():
                prediction = built(**given)
            with self._tracing.span("validate_out"):
                return fitting_outputs(spec, prediction)

    def _answer_within(
        self, reading: Reading, program: RunnableProgram, inputs: JsonObject
    ) -> JsonObject:
        """Run *program* as a part of the run that is going on."""
        with dspy.context(adapter=self._adapter(program.adapter, reading)):
            return self.answer(self.program(program), program, inputs)

    def _adapter(self, wanted: Adapter | None, reading: Reading) -> dspy.Adapter:
        form = wanted or self._model.adapter
        return (
            SafeJsonAdapter(reading=reading) if form == "json" else SafeChatAdapter(reading=reading)
        )


def fitting_outputs(spec: SignatureSpec, prediction: Any) -> dict[str, JsonValue]:
    """The outputs of *prediction*, validated.

    Raises:
        ProgramFailed: One is missing, of another type or out of bounds (``output.invalid``).
    """
    values = {field.name: prediction.get(field.name) for field in spec.outputs}
    try:
        return validate_outputs(spec, values)
    except ValuesDoNotFit as error:
        raise ProgramFailed(Failure(code="output.invalid", message=str(error))) from error


def _fitting_inputs(spec: SignatureSpec, inputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        return validate_inputs(spec, inputs)
    except ValuesDoNotFit as error:
        raise ProgramFailed(Failure(code="input.invalid", message=str(error))) from error


@contextlib.contextmanager
def _typed_failures() -> Iterator[None]:
    try:
        yield
    except ProgramFailed:
        raise
    except AdapterParseError as error:
        raise ProgramFailed(failure_at(error, node_of(error))) from error
    except Exception as error:
        if (refusal := refusal_in(error)) is not None:
            raise ProgramFailed(refusal.failure) from error
        where = f"at node {node}" if (node := node_of(error)) else "inside DSPy"
        message = f"The program failed {where} ({type(error).__name__}): {str(error)[:300]}"
        raise ProgramFailed(Failure(code="program.failed", message=message)) from error
