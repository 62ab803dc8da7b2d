"""Engines wait for their turn at the model, say what it took, and make no call without one."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from application.errors import StoreIsUnavailable
from application.lm_ports import Engine, ModelChoice, ProgramFailed, RunStopped
from application.turns import Line, NoTurn, Settle
from domain.values import Failure
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.engines.pool import ProcessEngine
from infrastructure.engines.processes import Bounds
from infrastructure.models.catalog import build_engine
from infrastructure.postgres.slots import Slots
from tests.support.dspy_programs import MemoryJournal, engine_on, single
from tests.support.scripted_lm import Script, ScriptedLmServer

QUESTION = {"question": "Why?"}


@dataclass
class Watched:
    """Gives a turn to everybody, unless ``refused``; notes what it is told."""

    refused: bool = False
    expected: list[int] = field(default_factory=list[int])
    settled: list[int] = field(default_factory=list[int])
    within: list[float] = field(default_factory=list[float])

    def line(self) -> Line:
        return self

    @contextmanager
    def turn(
        self, tokens: Callable[[], int], *, within_s: float, stopped: Event
    ) -> Generator[Settle, None, None]:
        del stopped
        self.within.append(within_s)
        if self.refused:
            raise NoTurn("the limit of calls to openai", 6.5)
        self.expected.append(tokens())
        yield self.settled.append


@pytest.fixture
def server() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        yield running


@contextmanager
def engine(kind: str, server: ScriptedLmServer, turns: Watched) -> Generator[Engine, None, None]:
    chosen = ModelChoice("openai/gpt-4o-mini", api_base=server.url, api_key="sk-of-a-test")
    if kind == "native":
        native = NativeEngine(turns=turns)
        native.configure(chosen)
        yield native
        native.close()
    else:
        model = build_engine(
            chosen.name, api_base=chosen.api_base, api_key=chosen.api_key, home=Path()
        )
        yield engine_on(model, turns=turns)
        model.engine.close()


def failure_of(engine: Engine, journal: MemoryJournal) -> Failure:
    try:
        engine.execute(single(), QUESTION, journal, live=True)
    except (ProgramFailed, RunStopped) as ended:
        return ended.failure
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("kind", ["dspy", "native"])
@pytest.mark.feature("LMP-23")
def test_lmp_23_a_call_waits_for_its_turn_and_says_what_it_took(
    kind: str, server: ScriptedLmServer
) -> None:
    turns, journal = Watched(), MemoryJournal()
    with engine(kind, server, turns) as asked:
        asked.execute(single(), QUESTION, journal, live=True, within_s=9)
        assert server.calls == 1
        assert turns.settled == [120]
        assert 1_000 < turns.expected[0] < 2_000, "what may be said, and a quarter of the prompt"
        assert 8 < turns.within[0] <= 9, "no longer than the execution may take"
        asked.execute(single(), QUESTION, journal, live=False)
        assert turns.settled == [120], "a replay stands in no line"
        asked.forward(single(), [{"question": "Why not?"}], MemoryJournal())
        assert turns.settled == [120, 120]


@pytest.mark.parametrize("kind", ["dspy", "native"])
def test_a_count_that_no_call_can_have_is_neither_booked_nor_paid_by_those_who_wait(
    kind: str, server: ScriptedLmServer
) -> None:
    server.script = Script(prompt_tokens=10**30)
    turns, journal = Watched(), MemoryJournal()
    with engine(kind, server, turns) as asked:
        asked.execute(single(), QUESTION, journal, live=True)
    [call] = journal.calls
    assert (call.usage.prompt_tokens, call.usage.total_tokens) == (None, None)
    assert all(settled < 10_000 for settled in turns.settled)


@pytest.mark.parametrize("kind", ["dspy", "native"])
@pytest.mark.feature("LMP-23")
def test_lmp_23_without_a_turn_no_call_is_made_and_that_is_on_record(
    kind: str, server: ScriptedLmServer
) -> None:
    journal = MemoryJournal()
    with engine(kind, server, Watched(refused=True)) as asked:
        failure = failure_of(asked, journal)
    assert failure.code == "model.no_turn"
    assert failure.retryable
    assert "Try again in 7 s." in failure.message
    assert server.calls == 0
    assert [call.failure for call in journal.calls] == [failure]


def test_without_a_database_a_limited_run_is_interrupted_and_goes_on_later(
    server: ScriptedLmServer,
) -> None:
    class Away(Watched):
        @contextmanager
        def turn(
            self, tokens: Callable[[], int], *, within_s: float, stopped: Event
        ) -> Generator[Settle, None, None]:
            if not self.refused:
                raise StoreIsUnavailable("it is away")
            yield self.settled.append

    journal = MemoryJournal()
    with engine("dspy", server, Away()) as asked:
        failure = failure_of(asked, journal)
    assert (failure.code, failure.retryable) == ("store.unavailable", True)
    assert not journal.calls
    assert server.calls == 0


@pytest.mark.feature("VIS-25")
def test_vis_25_an_engine_in_a_process_of_its_own_stands_in_the_same_line(
    database: str, server: ScriptedLmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"DATABASE_URL": database, "LM": "openai/gpt-4o-mini", "LM_CONCURRENCY": "1"}
    for name, value in told.items():
        monkeypatch.setenv(f"STRATAL_{name}", value)
    apart = ProcessEngine(Bounds(processes=1))
    apart.configure(ModelChoice("openai/gpt-4o-mini", api_base=server.url, api_key="sk-of-a-test"))
    slots = Slots(database, "openai", 1)
    try:
        apart.create_program(single())  # what takes longest is done before anybody waits
        with slots.one(within_s=5, stopped=Event()), pytest.raises((ProgramFailed, RunStopped)):
            apart.execute(single(), QUESTION, MemoryJournal(), live=True, within_s=0.5)
        assert server.calls == 0
        apart.execute(single(), QUESTION, MemoryJournal(), live=True, within_s=30)
        assert server.calls == 1
    finally:
        apart.close()
        slots.close()
