"""The engine without DSPy: plain questions to one model, ready in milliseconds.

Its calls have the keys of DSPy's, so what one of them recorded the other one resumes and replays.
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from pydantic import JsonValue

from application.lm_ports import (
    CallJournal,
    Diverged,
    Forwarded,
    JsonObject,
    Missed,
    ModelChoice,
    NotCarried,
    OptimizedProgram,
    OptimizerJob,
    ProgramFailed,
    RunnableProgram,
    RunStopped,
    TimeIsOver,
)
from application.payloads import Payload
from application.tracing import NoTracing, Tracing
from application.turns import Line, NoLimits, Turns
from domain.module.values import ModuleSpec
from domain.signature.errors import ValuesDoNotFit
from domain.signature.validation import validate_inputs, validate_outputs
from domain.values import NO_USAGE, Digest, Failure, LmCall
from infrastructure.engines.native.asking import ask, is_over, left_s
from infrastructure.engines.native.model import Answer, ChatModel, ModelRefused
from infrastructure.engines.native.programs import (
    ENGINE,
    NativeProgram,
    Step,
    check_module,
    made,
    value_of,
)
from infrastructure.engines.native.prompts import AnswerIsUnreadable

KEPT_PROGRAMS: Final = 256
AT_ONCE: Final = 8
"""How many inputs of a batch are run at the same time."""

_LONGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a program: what it is recorded in, and until when it goes on."""

    journal: CallJournal
    live: bool
    ends_s: float | None
    program: RunnableProgram
    line: Line
    fallback: ChatModel | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of a predictor, with the key it is known by."""

    node: str
    key: Digest
    request: Payload


class NativeEngine:
    """Carries plain graphs of questions on a model with OpenAI's interface, and nothing else."""

    def __init__(self, tracing: Tracing | None = None, turns: Turns | None = None) -> None:
        self._tracing, self._turns = tracing or NoTracing(), turns or NoLimits()
        self._model: ChatModel | None = None
        self._fallback: ChatModel | None = None
        self._lock = threading.Lock()
        self._made: OrderedDict[str, NativeProgram] = OrderedDict()

    def configure(self, model: ModelChoice) -> None:
        """Have *model* answer whatever is asked from now on.

        Raises:
            NativeModelIsInvalid: It has another interface, or no key.
        """
        self.close()
        self._model = ChatModel(model)
        self._fallback = None if model.fallback is None else ChatModel(model.fallback)

    def create_module(self, module: ModuleSpec) -> None:
        """Make sure that *module* can be made.

        Raises:
            NotCarried: It needs DSPy.
        """
        check_module(module)

    def create_program(self, program: RunnableProgram) -> None:
        """Make *program*, and keep it for a while under its key.

        Raises:
            NotCarried: Something of it needs DSPy.
            ProgramFailed: Its state does not fit it.
        """
        self._program(program)

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        """Run *program* once; a model call under way is given up when the time is over.

        Raises:
            ProgramFailed: The model refused the request, its answer cannot be used, or another
                engine is needed (``NotCarried``).
            RunStopped: The journal refused, the time is over, the model is not available; or with
                ``live=False`` a call was not in the journal.
        """
        if program.model is not None:
            raise NotCarried(ENGINE, "models of providers")
        ends_s = None if within_s is None else time.monotonic() + within_s
        # A replay asks no model, so it stands in no line.
        line = self._turns.line() if live else NoLimits()
        run = _Run(journal, live, ends_s, program, line, self._fallback)
        return self._answer(self._program(program), inputs, run)

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        """Run *program* on each inputs of *batch*, some at the same time.

        What is measured must be the model's own: it has no fallback.

        Raises:
            NotCarried: Something of it needs DSPy.
            RunStopped: The journal refused, or the model is not available.
        """
        native = self._program(program)
        run = _Run(journal, True, None, program, self._turns.line())

        def answer(inputs: JsonObject) -> Forwarded:
            try:
                return Forwarded(self._answer(native, inputs, run), None)
            except ProgramFailed as failed:
                return Forwarded(None, failed.failure)

        with ThreadPoolExecutor(min(AT_ONCE, max(1, len(batch)))) as pool:
            return list(pool.map(answer, batch))

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        """Refuse: to optimize is what DSPy is for.

        Raises:
            NotCarried: Always.
        """
        del journal, on_trial
        raise NotCarried(ENGINE, f"the optimizer {job.optimizer}")

    def pins(self, seed: int) -> dict[str, str]:
        """The seed: nothing of this engine finds anything that could depend on more."""
        return {"engine": ENGINE, "seed": str(seed)}

    def close(self) -> None:
        """Close the connections to the model and its fallback."""
        for model in (self._model, self._fallback):
            if model is not None:
                model.close()

    def _program(self, program: RunnableProgram) -> NativeProgram:
        with self._lock:
            if (known := self._made.get(program.key)) is not None:
                self._made.move_to_end(program.key)
                return known
        native = made(program)
        with self._lock:
            self._made[program.key] = native
            while len(self._made) > KEPT_PROGRAMS:
                self._made.popitem(last=False)
        return native

    def _answer(self, native: NativeProgram, inputs: JsonObject, run: _Run) -> JsonObject:
        try:
            given = validate_inputs(native.signature, dict(inputs))
        except ValuesDoNotFit as error:
            raise _failed("input.invalid", str(error)) from error
        known: dict[tuple[str | None, str], JsonValue] = {
            (None, field.name): given.get(field.name, field.default)
            for field in native.signature.inputs
        }
        with self._tracing.span("program", {"stratal.program.key": run.program.key}):
            for step in native.steps:
                asked = {name: value_of(source, known) for name, source in step.inputs.items()}
                said = self._said(step, {**step.defaults, **asked}, run)
                known.update({(step.prompt.node, name): value for name, value in said.items()})
        values = {
            field.name: value_of(native.outputs[field.name], known)
            if field.name in native.outputs
            else None
            for field in native.signature.outputs
        }
        try:
            return validate_outputs(native.signature, values)
        except ValuesDoNotFit as error:
            raise _failed("output.invalid", str(error)) from error

    def _said(self, step: Step, values: JsonObject, run: _Run) -> dict[str, JsonValue]:
        model = self._configured()
        request = Payload.of(step.prompt.request(model.name, values))
        asked = _Asked(step.prompt.node, _key(request), request)
        is_read = False
        try:
            said = self._read(step, self._found(asked, run))
            is_read = True
            return said
        finally:
            if run.live and run.journal.shares:
                run.journal.settle(asked.key, is_read=is_read)

    def _read(self, step: Step, body: Any) -> dict[str, JsonValue]:
        if "failure" in body:
            raise ProgramFailed(Failure.model_validate(body["failure"]))
        text = "".join(part["text"] for part in body["message"]["parts"] if part["type"] == "text")
        with suppress(AnswerIsUnreadable):
            if len(text) <= _LONGEST:
                return step.prompt.read(text)
        wanted = ", ".join(field.name for field in step.prompt.outputs)
        what = f"answers that are not in the form asked for, as that of {step.prompt.node} is"
        raise NotCarried(ENGINE, f"{what} (wanted: {wanted})")

    def _found(self, asked: _Asked, run: _Run) -> Any:
        if is_over(run.ends_s):
            raise TimeIsOver
        if (found := run.journal.find(asked.key)) is not None:
            return found
        if not run.live:
            message = f"The predictor {asked.node} made a call that is not in the log."
            raise Diverged(message, Missed(asked.key, asked.node, json.loads(asked.request.body)))
        return self._shared(asked, run) or self._made_call(asked, run)

    def _shared(self, asked: _Asked, run: _Run) -> Any:
        """What an equal call of another run was answered, recorded as that of this one."""
        if not run.journal.shares:
            return None
        began_s = time.perf_counter()
        found = run.journal.shared(asked.key, within_s=left_s(run.ends_s))
        if found is None:
            return None
        response = Payload.of(dict(found.response))
        body = json.loads(response.body)
        told = {
            "model_served": body.get("model"),
            "usage": NO_USAGE,
            "cost_usd": Decimal(0),
            "attempts": 0,
            "finish_reason": body.get("finish_reason"),
            "filled_by": found.filled_by,
        }
        call = self._call(asked, response, began_s).model_copy(update=told)
        run.journal.record(call, asked.request, response)
        return body

    def _call(self, asked: _Asked, response: Payload | None, began_s: float) -> LmCall:
        return LmCall(
            key=asked.key,
            node=asked.node,
            model=self._configured().name,
            request=asked.request.ref,
            response=None if response is None else response.ref,
            latency_ms=(time.perf_counter() - began_s) * 1000,
        )

    def _made_call(self, asked: _Asked, run: _Run) -> Any:
        model, began_s = self._configured(), time.perf_counter()
        with self._tracing.lm_call(model.name, asked.node) as span:
            content = json.loads(asked.request.body)
            outcome = ask(model, run.fallback, run.line, content, ends_s=run.ends_s)
            answer, refused = outcome.answer, outcome.refused
            response = _kept(answer, refused)
            asking = {"model": outcome.model.name, "attempts": max(1, outcome.attempts)}
            call = self._call(asked, response, began_s).model_copy(update=asking)
            if refused is not None:
                call = call.model_copy(update={"failure": refused.failure})
            if answer is not None:
                told = {
                    "model_served": answer.model,
                    "usage": answer.usage,
                    "finish_reason": answer.finish_reason,
                }
                call = call.model_copy(update=told)
            span.answered(call)
        run.journal.record(call, asked.request, response)
        if outcome.model is not model:  # other runs want the answer of the model itself
            run.journal.settle(asked.key, is_read=False)
        if response is not None:
            return json.loads(response.body)
        assert refused is not None
        if is_over(run.ends_s):
            raise TimeIsOver from refused
        if refused.failure.retryable:
            raise RunStopped(refused.failure) from refused
        raise ProgramFailed(refused.failure) from refused

    def _configured(self) -> ChatModel:
        if self._model is None:
            raise RuntimeError("This engine has no model yet: call configure first.")
        return self._model


def _key(request: Payload) -> Digest:
    return hashlib.sha256(f"1:{request.ref.digest}:None:0".encode()).hexdigest()


def _kept(answer: Answer | None, refused: ModelRefused | None) -> Payload | None:
    """What the journal answers from then on; nothing if the call is to be made again."""
    if answer is not None:
        return Payload.of(answer.body)
    if refused is not None and refused.is_final:
        return Payload.of({"failure": refused.failure.model_dump(mode="json")})
    return None


def _failed(code: str, message: str) -> ProgramFailed:
    return ProgramFailed(Failure(code=code, message=message))
