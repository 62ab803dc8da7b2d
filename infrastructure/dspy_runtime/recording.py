"""Every model call of a run: answered from its journal, or made and recorded."""

import contextvars
import hashlib
import json
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Literal, Self

import dspy
from dspy import lm15

from application.lm_ports import CallJournal, Missed, RunStopped
from application.payloads import Payload
from application.streaming import Telling
from application.tracing import Tracing
from application.turns import NoLimits, Turns
from domain.values import NO_USAGE, Digest, Failure, LmCall
from infrastructure.dspy_runtime import sharing
from infrastructure.dspy_runtime.asking import Asker, Outcome
from infrastructure.dspy_runtime.failures import failure_of, is_about_the_request, refused
from infrastructure.dspy_runtime.journaling import Recorder
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.side_calls import node_path
from infrastructure.dspy_runtime.wire import (
    request_json,
    response_json,
    response_of,
    usage_of,
)

KEY_VERSION: Final = 1
NODE_ID: Final = "_node_id"


class ModelIsUnavailable(RunStopped):
    """The model refuses us, not this request: scoring on would take an outage for bad answers."""


@dataclass(slots=True)
class Scope:
    """One call of the language model by a predictor; it may ask for several candidates."""

    node: str
    role: Literal["task", "optimizer"]
    rollout_id: int | None
    candidate: int = 0


_scope: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("lm_scope", default=None)
_finished: contextvars.ContextVar[str | None] = contextvars.ContextVar("finished", default=None)


def finish_reason() -> str | None:
    """Why the last answer in this thread ended where it did, in the words of DSPy."""
    return _finished.get()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with the key it is known by."""

    key: Digest
    request: lm15.Request
    payload: Payload
    node: str
    role: Literal["task", "optimizer"]
    rollout_id: int | None
    candidate: int


class RecordingEngine:
    """The engine of one run: equal calls of several threads are made once, a stop stops all."""

    def __init__(
        self,
        model: Model,
        journal: CallJournal,
        tracing: Tracing,
        *,
        live: bool = True,
        turns: Turns | None = None,
        within_s: float | None = None,
        retries: Retries | None = None,
        fallback: Model | None = None,
    ) -> None:
        self.recorder = Recorder(journal, live=live, within_s=within_s)
        self._model = model
        self._tracing = tracing
        # A replay asks no model, so it stands in no line.
        line = (turns if turns and live else NoLimits()).line()
        self._asker = Asker(model, fallback, line, retries or Retries(), self.recorder)
        self.supports_response_schema = model.engine.supports_response_schema
        self.supported_params = model.engine.supported_params

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Programs are copied all the time; the run they belong to stays one.
        return self

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer *request* as the run's journal does, else as the model does.

        Raises:
            RequestRefused: The model will not answer this request; that is recorded, too.
            RunStopped: The journal refused, the call is not in it, or the model is unavailable.
        """
        try:
            asked = self._asked(request, _scope.get())
            body = self.recorder.answer(asked.key, lambda: self._made(asked))
        except Exception as error:
            # Ours or the journal's fault; an optimizer would score it as a bad answer.
            raise self.recorder.stopping(RunStopped(failure_of(error))) from error
        if "failure" in body:
            raise refused(Failure.model_validate(body["failure"]))
        response = response_of(body)
        _finished.set(response.finish_reason)
        return response

    def _asked(self, request: lm15.Request, scope: Scope | None) -> Asked:
        rollout_id, candidate = (scope.rollout_id, scope.candidate) if scope else (None, 0)
        if scope:
            scope.candidate += 1
        if self._model.engine.seeded:
            request = _seeded(request, rollout_id, candidate)
        payload = Payload.of(request_json(request))
        name = f"{KEY_VERSION}:{payload.ref.digest}:{rollout_id}:{candidate}"
        return Asked(
            key=hashlib.sha256(name.encode()).hexdigest(),
            request=request,
            payload=payload,
            node=scope.node if scope else "unknown",
            role=scope.role if scope else "optimizer",
            rollout_id=rollout_id,
            candidate=candidate,
        )

    def _made(self, asked: Asked) -> Any:
        if not self.recorder.live:
            missed = Missed(asked.key, asked.node, json.loads(asked.payload.body))
            raise self.recorder.diverged(f"The predictor {asked.node}", missed)
        if (shared := self._shared(asked)) is not None:
            return shared
        with self._tracing.lm_call(self._model.model, asked.node) as span:
            outcome = self._asker.ask(asked.request, self._telling(asked))
            call, response = self._fact(asked, outcome)
            span.answered(call)
        self._record(call, asked, response)
        if outcome.model is not self._model:  # other runs want the answer of the model itself
            self.recorder.journal.settle(asked.key, is_read=False)
        if response is None:
            assert call.failure is not None
            self.recorder.in_time()  # a call that was given up for that says nothing of the model
            raise self.recorder.stopping(ModelIsUnavailable(call.failure)) from outcome.error
        return json.loads(response.body)

    def _telling(self, asked: Asked) -> Telling | None:
        audience = self.recorder.journal.audience
        return Telling(audience, asked.key, asked.node) if audience.listens else None

    def _shared(self, asked: Asked) -> Any:
        """What an equal call of another run was answered, recorded as that of this one."""
        journal = self.recorder.journal
        if not (journal.shares and sharing.is_read()):
            return None
        retries = self._asker.retries
        started, clock = time.perf_counter(), retries.clock
        left_s = self.recorder.within(clock() + retries.deadline_s) - clock()
        try:
            found = journal.shared(asked.key, within_s=left_s)
        except RunStopped as stop:
            raise self.recorder.stopping(stop) from None
        if found is None:
            sharing.owe(journal, asked.key)
            return None
        response = Payload.of(dict(found.response))
        answer = response_of(found.response)
        call = self._call(asked, response, (time.perf_counter() - started) * 1000, attempts=0)
        told = {
            "model_served": answer.model,
            "usage": NO_USAGE,
            "cost_usd": Decimal(0),
            "finish_reason": answer.finish_reason,
            "filled_by": found.filled_by,
        }
        self._record(call.model_copy(update=told), asked, response)
        return found.response

    def _record(self, call: LmCall, asked: Asked, response: Payload | None) -> None:
        try:
            self.recorder.journal.record(call, asked.payload, response)
        except RunStopped as stop:
            raise self.recorder.stopping(stop) from None

    def _fact(self, asked: Asked, outcome: Outcome) -> tuple[LmCall, Payload | None]:
        answer, error = outcome.response, outcome.error
        failure = None if error is None else failure_of(error)
        response = None
        if answer is not None:
            response = Payload.of(response_json(answer))
        elif error is not None and failure is not None and is_about_the_request(error):
            response = Payload.of({"failure": failure.model_dump(mode="json")})
        call = self._call(asked, response, outcome.latency_ms, attempts=outcome.attempts)
        told: dict[str, object] = {"failure": failure, "model": outcome.model.model}
        if answer is not None:
            told |= {
                "model_served": answer.model,
                "usage": usage_of(answer),
                "cost_usd": outcome.model.cost_of(answer),
                "finish_reason": answer.finish_reason,
            }
        return call.model_copy(update=told), response

    def _call(
        self, asked: Asked, response: Payload | None, latency_ms: float, *, attempts: int
    ) -> LmCall:
        return LmCall(
            key=asked.key,
            node=asked.node,
            role=asked.role,
            model=self._model.model,
            rollout_id=asked.rollout_id,
            candidate=asked.candidate,
            request=asked.payload.ref,
            response=None if response is None else response.ref,
            latency_ms=latency_ms,
            attempts=attempts,
        )


class RecordingLM(dspy.LM):  # type: ignore[misc]  # DSPy ships no types
    """The model of one run: tells its engine which predictor asks, and for which rollout."""

    def __init__(self, model: str, engine: RecordingEngine) -> None:
        # DSPy's own cache serves one tenant's answers to another and its retries hide calls.
        super().__init__(model, engine=engine, cache=False, num_retries=0)

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        asked = {**self.kwargs, **kwargs}
        rollout_id = asked.get("rollout_id")
        if rollout_id is not None and self.kwargs.get("temperature") is not None:
            # An optimizer that wants another try raises the temperature of the model; the
            # predictor's own setting would undo that.
            kwargs["temperature"] = self.kwargs["temperature"]
        sharing.asking_again()
        node, role = _caller()
        token = _scope.set(Scope(node, role, rollout_id))
        try:
            return super().__call__(prompt, messages=messages, **kwargs)
        finally:
            _scope.reset(token)


def calling_node() -> str | None:
    """The node whose predictor or module is at work in this thread; optimizers have none."""
    known = (getattr(each, NODE_ID, None) for each in reversed(dspy.settings.caller_modules or []))
    return next((node for node in known if node is not None), None)


def _caller() -> tuple[str, Literal["task", "optimizer"]]:
    callers = dspy.settings.caller_modules or []
    leaf = callers[-1] if callers else None
    if (node := calling_node()) is not None:
        return node_path(node), "task"
    signature = getattr(leaf, "signature", None)
    return f"optimizer.{getattr(signature, '__name__', 'prompt')}", "optimizer"


def _seeded(request: lm15.Request, rollout_id: int | None, candidate: int) -> lm15.Request:
    if request.config.seed is not None or not request.config.temperature:
        return request
    seed = (rollout_id or 0) * 1000 + candidate
    return replace(request, config=replace(request.config, seed=seed % 2**31))
