"""When a call is tried again, by a clock that only the waits move."""

import threading
from contextlib import suppress
from time import monotonic, sleep
from typing import cast

import pytest
from dspy import lm15

from application.deadlines import ends_s
from application.lm_ports import RunStopped
from application.tracing import NoTracing
from infrastructure.dspy_runtime.recording import ModelIsUnavailable, RecordingEngine
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.settings import Settings
from tests.support.dspy_programs import FailingEngine, FakeEngine, MemoryJournal, bound

SERVER = lm15.ServerError("oops", status=500)


class Clock:
    """Time passes while somebody waits for ``stopped``, and at no other time."""

    def __init__(self) -> None:
        self.now, self.waits = 100.0, list[float]()

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False

    def set(self) -> None:
        """The run was stopped; nobody waits any more."""


def waits_of(*errors: lm15.LM15Error, deadline_s: float = 120.0) -> tuple[list[float], int]:
    """The waits between tries at a model that fails with *errors*, and how many tries it took."""
    clock, engine = Clock(), FailingEngine(*errors)
    retries = Retries(deadline_s=deadline_s, jitter=lambda: 0.0, clock=lambda: clock.now)
    recording = RecordingEngine(bound(engine), MemoryJournal(), NoTracing(), retries=retries)
    recording.recorder.stopped = cast("threading.Event", clock)
    request = lm15.Request(model="fake/model", messages=(lm15.Message.user("Hello"),))
    with suppress(ModelIsUnavailable, lm15.LM15Error):
        recording.complete(request)
    return clock.waits, engine.calls


@pytest.mark.feature("LMP-15")
def test_lmp_15_delays_are_1_2_and_4_seconds_and_then_it_is_given_up() -> None:
    assert waits_of(*[SERVER] * 9) == ([1, 2, 4], 4)
    assert waits_of(SERVER, SERVER) == ([1, 2], 3)


@pytest.mark.parametrize(
    "error",
    [
        lm15.AuthError("bad key", status=401),
        lm15.AuthError("not yours", status=403),
        lm15.BillingError("no credit", status=402),
        lm15.InvalidRequestError("no such field", status=400),
        lm15.ContextLengthError("too long", status=400),
        lm15.CollectionLimitError("too much"),
    ],
)
@pytest.mark.feature("LMP-15")
def test_lmp_15_what_cannot_pass_is_tried_once(error: lm15.LM15Error) -> None:
    assert waits_of(error, error) == ([], 1)


@pytest.mark.feature("LMP-15")
def test_lmp_15_what_the_provider_asks_for_wins() -> None:
    def later(after_s: float) -> lm15.LM15Error:
        return lm15.RateLimitError("slow down", status=429, retry_after=after_s)

    assert waits_of(later(7)) == ([7], 2)
    assert waits_of(later(0)) == ([0], 2)
    assert waits_of(later(-3)) == ([1], 2)
    assert waits_of(later(float("nan"))) == ([1], 2)
    assert waits_of(later(float("inf"))) == ([1], 2)


@pytest.mark.feature("LMP-15")
def test_lmp_15_all_tries_have_one_deadline() -> None:
    assert waits_of(*[SERVER] * 9, deadline_s=3.5) == ([1, 2], 3)
    slow = lm15.RateLimitError("slow down", status=429, retry_after=60.0)
    assert waits_of(slow, slow, slow, deadline_s=100) == ([60], 2)


@pytest.mark.feature("LMP-15")
def test_lmp_15_waits_are_drawn_out_by_a_quarter_at_most() -> None:
    drawn = Retries(jitter=lambda: 1.0, clock=lambda: 0.0)
    assert [drawn.wait_s(tried, SERVER, ends_s=99) for tried in (1, 2, 3)] == [1.25, 2.5, 5]
    waits = {Retries().wait_s(1, SERVER, ends_s=float("inf")) for _ in range(20)}
    assert len(waits) > 1
    assert all(wait is not None and 1 <= wait <= 1.25 for wait in waits)


@pytest.mark.feature("BRG-08")
def test_brg_08_a_call_that_the_end_of_the_run_cut_off_is_no_fault_of_the_model() -> None:
    class Slow(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            while (ends := ends_s()) is not None and monotonic() < ends:
                sleep(0.005)
            raise lm15.TimeoutError("no answer in time")

    engine, journal = Slow(), MemoryJournal()
    recording = RecordingEngine(bound(engine), journal, NoTracing(), within_s=0.05)
    request = lm15.Request(model="fake/model", messages=(lm15.Message.user("Hello"),))
    with pytest.raises(RunStopped) as stopped:
        recording.complete(request)
    assert stopped.value.failure.code == "execution.timed_out"
    assert engine.calls == 1
    assert [call.failure.code for call in journal.calls if call.failure] == ["model.timeout"]


@pytest.mark.feature("LMP-20")
def test_lmp_20_the_settings_say_how_often_and_after_how_long() -> None:
    told = Settings.from_environment({})
    usual = Retries.doubling(told.max_retries, told.retry_delay)
    assert usual.waits_s == Retries().waits_s == (1, 2, 4)
    assert Retries.doubling(4, 50).waits_s == (0.05, 0.1, 0.2, 0.4)
    assert Retries.doubling(0, 1000).waits_s == ()
