"""F-33: a provider that fails three calls in ten; time passes only while somebody waits."""

import random
import threading
from typing import cast

from dspy import lm15

from application.tracing import NoTracing
from infrastructure.dspy_runtime.recording import ModelIsUnavailable, RecordingEngine
from infrastructure.dspy_runtime.retries import Retries
from tests.infrastructure.dspy_runtime.test_retries import SERVER, Clock
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound

CALLS = 1000


class BrownOut(FakeEngine):
    """Fails three calls in ten, by chance that is the same each time."""

    def __init__(self) -> None:
        super().__init__()
        self._chance = random.Random(33)

    def answer(self, request: lm15.Request) -> str:
        if self._chance.random() < 0.3:
            raise SERVER
        return super().answer(request)


def test_f_33_at_30_percent_errors_99_calls_in_100_are_answered_within_one_deadline_each() -> None:
    """There is no other model to go to, so every extra call is a retry: 1.42 times on average.

    The figure on paper, 1.3 times, is for a model to fall back to, which there is not yet.
    """
    clock, engine, journal = Clock(), BrownOut(), MemoryJournal()
    retries = Retries(deadline_s=30, jitter=lambda: 1.0, clock=lambda: clock.now)
    lost, longest_s = 0, 0.0
    for number in range(CALLS):
        recording = RecordingEngine(bound(engine), journal, NoTracing(), retries=retries)
        recording.recorder.stopped = cast("threading.Event", clock)
        message = lm15.Message.user(f"Number {number}")
        began_s = clock.now
        try:
            recording.complete(lm15.Request(model="fake/model", messages=(message,)))
        except ModelIsUnavailable:
            lost += 1
        longest_s = max(longest_s, clock.now - began_s)
    assert lost <= CALLS * 0.01
    assert engine.calls <= CALLS * 1.45
    assert longest_s <= 30
    assert len(journal.calls) == CALLS, "each is on record once, with how often it was tried"
    assert sum(call.attempts for call in journal.calls) == engine.calls
    assert sum(call.failure is not None for call in journal.calls) == lost
