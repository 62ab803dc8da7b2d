"""One call of a model: in its turn, tried again where that may help, left alone where it fails."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from dspy import lm15

from application.circuits import CircuitIsOpen, Sign
from application.deadlines import ending_at
from application.errors import StoreIsUnavailable
from application.journal import stop_reason
from application.lm_ports import RunStopped
from application.turns import Line
from infrastructure.dspy_runtime.failures import is_retryable, sign_of
from infrastructure.dspy_runtime.journaling import Recorder
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.wire import tokens_of, usage_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call, after how many tries; without a response there is an error."""

    response: lm15.Response | None
    error: Exception | None
    attempts: int
    latency_ms: float


class Asker(NamedTuple):
    """Asks *model* for one run, which *recorder* may stop; its tries stand in *line*."""

    model: Model
    line: Line
    retries: Retries
    recorder: Recorder

    def ask(self, request: lm15.Request) -> Outcome:
        """Have *request* answered, within the time that a call has.

        Raises:
            RunStopped: The database cannot be asked whose turn it is.
        """
        ends_s = self.recorder.within(self.retries.clock() + self.retries.deadline_s)
        attempts, started = 0, time.perf_counter()
        while True:
            attempts += 1
            response, error = None, None
            try:
                response = self._asked_once(request, ends_s)
            except StoreIsUnavailable as away:  # nobody knows whose turn it is
                raise self.recorder.stopping(RunStopped(stop_reason(away))) from away
            except Exception as failed:  # noqa: BLE001 an engine may fail in any way; all are recorded
                error = failed
            if error is None or self._is_given_up(attempts, error, ends_s):
                latency_ms = (time.perf_counter() - started) * 1000
                return Outcome(response, error, attempts, latency_ms)

    def _is_given_up(self, attempts: int, error: Exception, ends_s: float) -> bool:
        if not self._may_pass(attempts, error):
            return True
        wait = self.retries.wait_s(attempts, error, ends_s=ends_s)
        return wait is None or self.recorder.stopped.wait(wait)

    def _may_pass(self, attempts: int, error: Exception) -> bool:
        # Only who was under way when the circuit opened waits for it to close.
        return attempts > 1 if isinstance(error, CircuitIsOpen) else is_retryable(error)

    def _asked_once(self, request: lm15.Request, ends_s: float) -> lm15.Response:
        model, circuit = self.model.model, self.model.circuit
        circuit.check(model)  # before a turn is taken that nobody would use
        left_s = ends_s - self.retries.clock()
        turn = self.line.turn(
            lambda: tokens_of(request), within_s=left_s, stopped=self.recorder.stopped
        )
        with turn as settle:
            with circuit.call(model, self._reading(ends_s)), ending_at(ends_s):
                response = self.model.engine.complete(request)
            if (taken := usage_of(response).total_tokens) is not None:
                settle(taken)
        return response

    def _reading(self, ends_s: float) -> Callable[[Exception], Sign]:
        def sign(error: Exception) -> Sign:
            # A model that was given too little time is no worse for it.
            return sign_of(error) if self.retries.clock() < ends_s else Sign.NOTHING

        return sign
