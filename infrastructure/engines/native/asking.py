"""One call of a model or, where it fails, of its fallback: each in its turn and time, one try."""

import json
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from application.circuits import CircuitIsOpen, Sign
from application.turns import NO_TURN, Line, NoLimits, NoTurn
from infrastructure.engines.native.model import Answer, ChatModel, ModelRefused

PATIENCE_S: Final = 120.0
"""How long a call without a deadline waits for its turn."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What *model* answered, or why it did not."""

    model: ChatModel
    answer: Answer | None
    refused: ModelRefused | None
    attempts: int = 1

    @property
    def may_pass(self) -> bool:
        """Whether the model failed in a way that another one might not; our limits hold for all."""
        if self.refused is None:
            return False
        return self.refused.failure.retryable and self.refused.failure.code != NO_TURN


def ask(
    model: ChatModel, fallback: ChatModel | None, line: Line, content: Any, *, ends_s: float | None
) -> Outcome:
    """Have *model* answer *content* by *ends_s*, or else its *fallback*, which has no limits.

    If both fail it is the model's own failure that counts.
    """
    outcome = _asked(model, line, content, ends_s)
    if fallback is None or not outcome.may_pass or is_over(ends_s):
        return outcome
    instead = _asked(fallback, NoLimits(), content, ends_s)
    attempts = outcome.attempts + instead.attempts
    return replace(instead if instead.answer else outcome, attempts=attempts)


def is_over(ends_s: float | None) -> bool:
    """Whether the time that was over at *ends_s* is."""
    return ends_s is not None and time.monotonic() >= ends_s


def left_s(ends_s: float | None) -> float:
    """How long one may wait for a turn."""
    return PATIENCE_S if ends_s is None else ends_s - time.monotonic()


def _asked(model: ChatModel, line: Line, content: Any, ends_s: float | None) -> Outcome:
    turn = line.turn(lambda: _tokens(content), within_s=left_s(ends_s), stopped=threading.Event())
    try:
        model.circuit.check(model.name)  # before a turn is taken that nobody would use
        with turn as settle:
            with model.circuit.call(model.name, partial(_sign_of, ends_s)):
                answer = model.ask(content, ends_s=ends_s)
            settle(answer.usage.total_tokens or _tokens(content))
            return Outcome(model, answer, None)
    except (NoTurn, CircuitIsOpen) as refused:
        return Outcome(model, None, ModelRefused(refused.failure), attempts=0)
    except ModelRefused as refused:
        return Outcome(model, None, refused)


def _sign_of(ends_s: float | None, error: Exception) -> Sign:
    if is_over(ends_s) or not isinstance(error, ModelRefused):
        return Sign.NOTHING
    return Sign.FAILED if error.is_outage else Sign.ANSWERED


def _tokens(request: Any) -> int:
    """About how many tokens *request* takes with its answer: four characters make one."""
    return len(json.dumps(request)) // 4 + (request["config"].get("max_tokens") or 0)
