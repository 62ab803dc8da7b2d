"""Engines leave a model alone that fails five times in a row, and one answer brings it back."""

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from dspy import lm15

from application.circuits import Circuit, CircuitState
from application.lm_ports import Engine, ModelChoice, ProgramFailed, RunStopped
from application.tracing import NoTracing
from domain.values import Failure
from infrastructure.dspy_runtime.recording import ModelIsUnavailable, RecordingEngine
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.models.catalog import build_engine
from tests.infrastructure.dspy_runtime.test_retries import Clock
from tests.infrastructure.engines.test_turns import Watched
from tests.support.dspy_programs import FailingEngine, MemoryJournal, bound, engine_on, single
from tests.support.scripted_lm import Error, Script, ScriptedLmServer

QUESTION = {"question": "Why?"}


@pytest.fixture
def server() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        yield running


class World:
    """An engine whose every call is one try, with a circuit by a clock that only tests move."""

    def __init__(self, engine: Engine, circuit: Circuit, clock: Clock, turns: Watched) -> None:
        self.engine, self.circuit, self.clock, self.turns = engine, circuit, clock, turns
        self.journal = MemoryJournal()

    def ask(self, *, within_s: float | None = None) -> Failure | None:
        try:
            self.engine.execute(single(), QUESTION, self.journal, live=True, within_s=within_s)
        except (ProgramFailed, RunStopped) as ended:
            return ended.failure
        return None

    def codes(self, times: int) -> list[str | None]:
        failures = [self.ask() for _ in range(times)]
        return [failure and failure.code for failure in failures]


@contextmanager
def world_of(
    kind: str, server: ScriptedLmServer, monkeypatch: pytest.MonkeyPatch
) -> Generator[World, None, None]:
    clock, turns = Clock(), Watched()
    circuit = Circuit(lambda: clock.now)
    chosen = ModelChoice("openai/gpt-4o-mini", api_base=server.url, api_key="sk-of-a-test")
    if kind == "native":
        monkeypatch.setattr("infrastructure.engines.native.model.Circuit", lambda: circuit)
        native = NativeEngine(turns=turns)
        native.configure(chosen)
        yield World(native, circuit, clock, turns)
        native.close()
    else:
        model = build_engine(
            chosen.name, api_base=chosen.api_base, api_key=chosen.api_key, home=Path()
        )
        model = replace(model, circuit=circuit)
        engine = engine_on(model, turns=turns, retries=Retries(waits_s=()))
        yield World(engine, circuit, clock, turns)
        model.engine.close()


@pytest.fixture(params=["dspy", "native"])
def world(
    request: pytest.FixtureRequest, server: ScriptedLmServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with world_of(request.param, server, monkeypatch) as made:
        yield made


@pytest.mark.parametrize("status", [500, 502, 503, 529])
@pytest.mark.feature("LMP-24")
def test_lmp_24_after_five_failures_calls_fail_at_once_until_one_probe_is_answered(
    world: World, server: ScriptedLmServer, status: int
) -> None:
    server.script = Script(errors=[Error(status, times=6)])
    assert world.codes(5) == ["model.unavailable"] * 5
    assert world.codes(3) == ["model.circuit_open"] * 3
    assert server.calls == 5
    assert len(world.turns.within) == 5, "who makes no call takes nobody's turn"
    world.clock.now += 1
    assert world.codes(3) == ["model.unavailable", "model.circuit_open", "model.circuit_open"]
    assert server.calls == 6
    world.clock.now += 2
    assert world.codes(2) == [None, None]
    assert server.calls == 7, "the second answer is the recorded one"


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_call_that_was_not_made_is_on_record_and_may_be_made_later(
    world: World, server: ScriptedLmServer
) -> None:
    server.script = Script(errors=[Error(500, times=5)])
    world.codes(5)
    failure = world.ask()
    assert failure is not None
    assert failure.retryable
    assert "openai/gpt-4o-mini failed 5 times in a row. Try again in 2 s." in failure.message
    assert world.journal.calls[-1].failure == failure
    world.clock.now += 1
    assert world.ask() is None, "that it was not answered is no answer"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429])
@pytest.mark.feature("LMP-24")
def test_lmp_24_a_refusal_is_no_failure_of_the_model(
    world: World, server: ScriptedLmServer, status: int
) -> None:
    server.script = Script(errors=[Error(500, times=4), Error(status), Error(500, times=4)])
    for number in range(9):
        world.journal = MemoryJournal()
        assert world.ask() is not None
        assert server.calls == number + 1
    assert world.circuit.state is CircuitState.CLOSED


@pytest.mark.feature("LMP-24")
def test_lmp_24_who_gives_a_model_too_little_time_shuts_nobody_out(
    world: World, server: ScriptedLmServer
) -> None:
    world.engine.create_program(single())  # so that there is time left to ask the model
    server.script = Script(latency_ms=400)
    codes = [failure and failure.code for failure in (world.ask(within_s=0.05) for _ in range(6))]
    assert codes == ["execution.timed_out"] * 6
    assert world.circuit.state is CircuitState.CLOSED


@pytest.mark.feature("LMP-24")
def test_lmp_24_five_threads_that_fail_together_open_it(
    world: World, server: ScriptedLmServer
) -> None:
    server.script = Script(errors=[Error(503, times=99)], latency_ms=20)
    with ThreadPoolExecutor(5) as pool:
        codes = list(pool.map(lambda _: world.codes(1), range(5)))
    assert codes == [["model.unavailable"]] * 5
    assert world.codes(1) == ["model.circuit_open"]


def waits_of(errors: int, *, opened_by: int = 0) -> tuple[list[float], int]:
    """What one call waits for at a model that fails *errors* times, *opened_by* others before."""
    clock, engine = Clock(), FailingEngine(*[lm15.ServerError("oops", status=500)] * errors)
    circuit = Circuit(lambda: clock.now)
    model = replace(bound(engine), circuit=circuit)
    retries = Retries(jitter=lambda: 0.0, clock=lambda: clock.now)

    def ask(number: int, retries: Retries) -> None:
        recording = RecordingEngine(model, MemoryJournal(), NoTracing(), retries=retries)
        recording.recorder.stopped = cast("threading.Event", clock)
        message = lm15.Message.user(f"Number {number}")
        recording.complete(lm15.Request(model="fake/model", messages=(message,)))

    for number in range(opened_by):
        with pytest.raises(ModelIsUnavailable):
            ask(number, Retries(waits_s=()))
    made = engine.calls
    try:
        ask(99, retries)
    except ModelIsUnavailable:
        return clock.waits, -1
    return clock.waits, engine.calls - made


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_call_under_way_waits_for_the_model_as_long_as_its_tries_last() -> None:
    assert waits_of(5, opened_by=4) == ([1.0], 2), "its own failure opened it; then it is the probe"
    assert waits_of(6, opened_by=4) == ([1.0, 2.0], 3)


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_new_call_does_not_wait() -> None:
    assert waits_of(5, opened_by=5) == ([], -1)
