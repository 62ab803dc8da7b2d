"""F-33: a provider fails three calls in ten for two minutes; time passes only while nobody asks."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import cast

import pytest
from dspy import lm15

from application.circuits import Circuit, CircuitState
from application.tracing import NoTracing
from infrastructure.dspy_runtime.recording import ModelIsUnavailable, RecordingEngine
from infrastructure.dspy_runtime.retries import Retries
from tests.infrastructure.dspy_runtime.test_retries import SERVER, Clock
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound

CALLS = 1200
EVERY_S = 0.1
DEADLINE_S = 30


def outages() -> Iterator[bool]:
    """Which calls fail: thirty of each hundred, by chance that is the same each time."""
    chance = random.Random(33)
    for _ in count():
        hundred = [True] * 30 + [False] * 70
        chance.shuffle(hundred)
        yield from hundred


class BrownOut(FakeEngine):
    """Fails three calls in ten."""

    def __init__(self) -> None:
        super().__init__()
        self._outages = outages()

    def answer(self, request: lm15.Request) -> str:
        if next(self._outages):
            raise SERVER
        return super().answer(request)


@dataclass
class Told:
    """How two minutes of brown-out went."""

    lost: int
    asked: int
    longest_s: float
    journal: MemoryJournal
    was_open: bool


def two_minutes(fallback: FakeEngine | None = None) -> Told:
    clock, engine, journal = Clock(), BrownOut(), MemoryJournal()
    model = replace(bound(engine), circuit=Circuit(lambda: clock.now))
    instead = None if fallback is None else replace(bound(fallback), model="fake/other")
    retries = Retries(deadline_s=DEADLINE_S, jitter=lambda: 1.0, clock=lambda: clock.now)
    told = Told(0, 0, 0.0, journal, was_open=False)
    for number in range(CALLS):
        recording = RecordingEngine(model, journal, NoTracing(), retries=retries, fallback=instead)
        recording.recorder.stopped = cast("threading.Event", clock)
        message = lm15.Message.user(f"Number {number}")
        began_s = clock.now
        try:
            recording.complete(lm15.Request(model="fake/model", messages=(message,)))
        except ModelIsUnavailable:
            told.lost += 1
        told.longest_s = max(told.longest_s, clock.now - began_s)
        told.was_open = told.was_open or model.circuit.state is not CircuitState.CLOSED
        clock.now += EVERY_S
    told.asked = engine.calls + (fallback.calls if fallback else 0)
    return told


@pytest.mark.feature("F-33")
def test_f_33_with_a_fallback_every_call_is_answered_at_once_for_at_most_1_3_times_the_calls() -> (
    None
):
    other = FakeEngine()
    told = two_minutes(other)
    assert told.lost == 0
    assert told.longest_s == 0
    assert told.asked <= CALLS * 1.3
    assert told.was_open, "then the model is passed over, which takes no call more"
    assert sum(call.attempts for call in told.journal.calls) == told.asked
    answered = [call for call in told.journal.calls if call.model == "fake/other"]
    assert len(answered) == other.calls > 0


@pytest.mark.feature("F-33")
def test_f_33_if_the_fallback_is_as_ill_99_calls_in_100_are_answered_all_the_same() -> None:
    told = two_minutes(BrownOut())
    assert told.lost <= CALLS * 0.01
    assert told.longest_s <= DEADLINE_S


@pytest.mark.feature("F-33")
def test_f_33_without_a_fallback_99_calls_in_100_are_answered_within_one_deadline_each() -> None:
    """Every extra call is a retry then: 1.42 times the calls."""
    told = two_minutes()
    assert told.lost <= CALLS * 0.01
    assert told.asked <= CALLS * 1.45
    assert told.longest_s <= DEADLINE_S
    assert len(told.journal.calls) == CALLS, "each is on record once, with how often it was tried"
    assert sum(call.attempts for call in told.journal.calls) == told.asked
    assert sum(call.failure is not None for call in told.journal.calls) == told.lost


@pytest.mark.feature("F-33")
def test_f_33_of_a_provider_that_is_gone_hardly_anybody_asks() -> None:
    class Gone(BrownOut):
        def answer(self, request: lm15.Request) -> str:
            raise SERVER

    clock, engine = Clock(), Gone()
    model = replace(bound(engine), circuit=Circuit(lambda: clock.now))
    retries = Retries(waits_s=(), clock=lambda: clock.now)
    for number in range(CALLS):
        recording = RecordingEngine(model, MemoryJournal(), NoTracing(), retries=retries)
        message = lm15.Message.user(f"Number {number}")
        with pytest.raises(ModelIsUnavailable):
            recording.complete(lm15.Request(model="fake/model", messages=(message,)))
        clock.now += EVERY_S
    assert engine.calls == 12, "five, then probes after 1, 2, 4, 8, 16, 30, 30 s"
