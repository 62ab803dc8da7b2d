"""One call of a model: in its turn, tried again where that may help, left alone where it fails."""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from dspy import lm15

from application.circuits import CircuitIsOpen, Sign
from application.deadlines import ending_at
from application.errors import StoreIsUnavailable
from application.journal import stop_reason
from application.lm_ports import RunStopped
from application.streaming import Telling
from application.turns import Line, NoLimits
from infrastructure.dspy_runtime.failures import is_retryable, sign_of
from infrastructure.dspy_runtime.journaling import Recorder
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.streaming import answer_of
from infrastructure.dspy_runtime.wire import tokens_of, usage_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call, of which *model*, after how many tries; else there is an error."""

    model: Model
    response: lm15.Response | None
    error: Exception | None
    attempts: int
    latency_ms: float


@dataclass(slots=True)
class _Call:
    """A request that must be answered by ``ends_s``, and how often a model was asked for that.

    What the model says goes into *telling*, if anybody wants to hear it while it says it.
    """

    request: lm15.Request
    ends_s: float
    telling: Telling | None
    attempts: int = 0


class Asker(NamedTuple):
    """Asks *model* for one run, which *recorder* may stop; its tries stand in *line*.

    Where the model fails, its *fallback* is asked, of which nothing is limited.
    """

    model: Model
    fallback: Model | None
    line: Line
    retries: Retries
    recorder: Recorder

    def ask(self, request: lm15.Request, telling: Telling | None) -> Outcome:
        """Have *request* answered, within the time that a call has.

        Raises:
            RunStopped: The database cannot be asked whose turn it is.
        """
        ends_s = self.recorder.within(self.retries.clock() + self.retries.deadline_s)
        call, started, tried = _Call(request, ends_s, telling), time.perf_counter(), 0
        while True:
            tried += 1
            model, response, error = self.model, None, None
            try:
                model, response = self._answered(call)
            except StoreIsUnavailable as away:  # nobody knows whose turn it is
                raise self.recorder.stopping(RunStopped(stop_reason(away))) from away
            except Exception as failed:  # noqa: BLE001 an engine may fail in any way; all are recorded
                error = failed
            if error is None or self._is_given_up(tried, error, ends_s):
                latency_ms = (time.perf_counter() - started) * 1000
                return Outcome(model, response, error, max(1, call.attempts), latency_ms)

    def _is_given_up(self, tried: int, error: Exception, ends_s: float) -> bool:
        # Of a model that is left alone, only who was under way when it failed awaits the return.
        may_pass = tried > 1 if isinstance(error, CircuitIsOpen) else is_retryable(error)
        wait = self.retries.wait_s(tried, error, ends_s=ends_s) if may_pass else None
        return wait is None or self.recorder.stopped.wait(wait)

    def _answered(self, call: _Call) -> tuple[Model, lm15.Response]:
        try:
            return self.model, self._asked_once(self.model, self.line, call.request, call)
        except Exception as error:
            if self.fallback is None or not self._goes_on(error, call):
                raise
            request = _as_for(self.fallback, call.request)
            with suppress(Exception):  # then it is the model's own failure that counts
                return self.fallback, self._asked_once(self.fallback, NoLimits(), request, call)
            raise

    def _goes_on(self, error: Exception, call: _Call) -> bool:
        may_pass = isinstance(error, CircuitIsOpen) or is_retryable(error)
        return may_pass and self.retries.clock() < call.ends_s

    def _asked_once(
        self, model: Model, line: Line, request: lm15.Request, call: _Call
    ) -> lm15.Response:
        model.circuit.check(model.model)  # before a turn is taken that nobody would use
        left_s = call.ends_s - self.retries.clock()
        turn = line.turn(lambda: tokens_of(request), within_s=left_s, stopped=self.recorder.stopped)
        with turn as settle:
            with model.circuit.call(model.model, partial(self._sign, call)), ending_at(call.ends_s):
                call.attempts += 1
                response = answer_of(model.engine, request, call.telling)
            if (taken := usage_of(response).total_tokens) is not None:
                settle(taken)
        return response

    def _sign(self, call: _Call, error: Exception) -> Sign:
        # A model that was given too little time is no worse for it.
        return sign_of(error) if self.retries.clock() < call.ends_s else Sign.NOTHING


def _as_for(model: Model, request: lm15.Request) -> lm15.Request:
    """*request*, which was written for another model, as *model* takes it."""
    config = request.config
    if not model.engine.supports_response_schema:
        config = replace(config, response_format=None)
    return replace(request, model=model.model, config=config)
