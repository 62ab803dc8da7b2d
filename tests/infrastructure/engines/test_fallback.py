"""Where a model fails its fallback answers, that is on record, and what is measured has none."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from dspy import lm15

from application.lm_ports import Engine, ModelChoice, ProgramFailed, RunStopped
from application.tracing import NoTracing
from domain.values import Failure
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.engines.pool import ProcessEngine
from infrastructure.engines.processes import Bounds
from infrastructure.models.binding import ModelBinding, ModelKeyIsMissing
from infrastructure.models.catalog import build_engine
from infrastructure.runtime import configured_engine
from infrastructure.settings import Settings
from tests.infrastructure.engines.test_turns import Watched
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, engine_on, single
from tests.support.scripted_lm import Error, Script, ScriptedLmServer
from tests.support.sharing import Shared, SharingJournal

QUESTION = {"question": "Why?"}
FIRST, SECOND = "openai/gpt-4o", "openai/gpt-4o-mini"


@pytest.fixture
def first() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        yield running


@pytest.fixture
def second() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        yield running


def choice(first: ScriptedLmServer, second: ScriptedLmServer) -> ModelChoice:
    fallback = ModelChoice(SECOND, api_base=second.url, api_key="sk-of-the-second")
    return ModelChoice(FIRST, api_base=first.url, api_key="sk-of-the-first", fallback=fallback)


def binding(chosen: ModelChoice) -> ModelBinding:
    """The model with its fallback, which costs a cent and the other one nothing."""
    made = build_engine(chosen.name, api_base=chosen.api_base, api_key=chosen.api_key, home=Path())
    if chosen.fallback is None:
        return replace(made, cost_of=lambda _: Decimal("0.01"))
    return replace(made, fallback=binding(chosen.fallback), cost_of=lambda _: Decimal(0))


@pytest.fixture(params=["dspy", "native"])
def engine(
    request: pytest.FixtureRequest, first: ScriptedLmServer, second: ScriptedLmServer
) -> Iterator[Engine]:
    if request.param == "native":
        native = NativeEngine()
        native.configure(choice(first, second))
        yield native
        native.close()
    else:
        model = binding(choice(first, second))
        yield engine_on(model, retries=Retries(waits_s=()))
        assert model.fallback is not None
        model.engine.close()
        model.fallback.engine.close()


def failure_of(engine: Engine, journal: MemoryJournal) -> Failure:
    with pytest.raises((ProgramFailed, RunStopped)) as ended:
        engine.execute(single(), QUESTION, journal, live=True)
    assert isinstance(ended.value, ProgramFailed | RunStopped)
    return ended.value.failure


def asked_model(journal: MemoryJournal) -> object:
    [request] = journal.requests
    assert isinstance(request, dict)
    return request["model"]


@pytest.mark.feature("LMP-24")
def test_lmp_24_while_the_model_answers_its_fallback_is_not_asked(
    engine: Engine, first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    journal = MemoryJournal()
    engine.execute(single(), QUESTION, journal, live=True)
    assert (first.calls, second.calls) == (1, 0)
    [call] = journal.calls
    assert (call.model, call.attempts) == (FIRST, 1)


@pytest.mark.parametrize("status", [500, 503, 429])
@pytest.mark.feature("RTR-03")
def test_rtr_03_where_it_fails_the_fallback_answers_with_its_own_key_and_that_is_on_record(
    engine: Engine, first: ScriptedLmServer, second: ScriptedLmServer, status: int
) -> None:
    first.script = Script(errors=[Error(status, times=9)])
    journal = MemoryJournal()
    outputs = engine.execute(single(), QUESTION, journal, live=True)
    assert (first.calls, second.calls) == (1, 1)
    [call] = journal.calls
    assert (call.model, call.attempts) == (SECOND, 2)
    assert asked_model(journal) == FIRST, "what it was asked is what it would have been asked"
    assert (call.model_served, call.failure) == ("gpt-4o-mini", None)
    assert second.bodies[0]["model"] == "gpt-4o-mini"
    assert second.bodies[0]["messages"] == first.bodies[0]["messages"]
    assert second.headers[0]["Authorization"] == "Bearer sk-of-the-second"
    assert engine.execute(single(), QUESTION, journal, live=False) == outputs
    assert (first.calls, second.calls) == (1, 1), "a replay asks neither"


@pytest.mark.feature("RTR-03")
def test_rtr_03_if_both_fail_it_is_the_failure_of_the_first(
    engine: Engine, first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    first.script = Script(errors=[Error(503, "The first is ill.", times=9)])
    second.script = Script(errors=[Error(500, "So is the second.", times=9)])
    journal = MemoryJournal()
    failure = failure_of(engine, journal)
    assert "The first is ill." in failure.message
    [call] = journal.calls
    assert (call.model, call.attempts) == (FIRST, 2)
    assert (first.calls, second.calls) == (1, 1)


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_model_that_is_left_alone_is_passed_over(
    engine: Engine, first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    first.script = Script(errors=[Error(500, times=999)])
    for _ in range(20):
        journal = MemoryJournal()
        engine.execute(single(), QUESTION, journal, live=True)
        assert journal.calls[0].model == SECOND
    assert second.calls == 20
    assert first.calls < 20, "five, and a probe now and then"


@pytest.mark.parametrize("status", [400, 401, 404])
@pytest.mark.feature("RTR-03")
def test_rtr_03_what_cannot_pass_is_no_matter_for_another_model(
    engine: Engine, first: ScriptedLmServer, second: ScriptedLmServer, status: int
) -> None:
    first.script = Script(errors=[Error(status, times=9)])
    failure_of(engine, MemoryJournal())
    assert (first.calls, second.calls) == (1, 0)


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_batch_that_is_measured_is_answered_by_the_model_itself_or_not_at_all(
    engine: Engine, first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    first.script = Script(errors=[Error(500, times=99)])
    with pytest.raises(RunStopped):
        engine.forward(single(), [QUESTION], MemoryJournal())
    assert second.calls == 0


@pytest.mark.feature("LMP-24")
def test_lmp_24_what_the_fallback_answered_is_no_answer_for_other_runs(
    engine: Engine, first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    first.script = Script(errors=[Error(500)])
    shared = Shared()
    for _ in range(3):
        engine.execute(single(), QUESTION, SharingJournal(shared), live=True)
    assert (first.calls, second.calls) == (2, 1), "the second run asked anew, the third did not"
    assert shared.read == [False, True]


def test_what_a_call_cost_is_what_the_model_that_answered_costs(
    first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    first.script = Script(errors=[Error(500)])
    model, journal = binding(choice(first, second)), MemoryJournal()
    engine_on(model, retries=Retries(waits_s=())).execute(single(), QUESTION, journal, live=True)
    assert journal.calls[0].cost_usd == Decimal("0.01")


@pytest.mark.parametrize("kind", ["dspy", "native"])
def test_our_own_limits_are_no_failure_of_the_model(
    kind: str, first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    turns = Watched(refused=True)
    if kind == "native":
        limited: Engine = (native := NativeEngine(turns=turns))
        native.configure(choice(first, second))
    else:
        limited = engine_on(binding(choice(first, second)), turns=turns)
    assert failure_of(limited, MemoryJournal()).code == "model.no_turn"
    assert (first.calls, second.calls) == (0, 0)


def test_a_fallback_that_knows_no_schema_is_asked_without_one() -> None:
    class Schemas(FakeEngine):
        supports_response_schema = True
        supported_params = frozenset({"response_format"})

        def answer(self, request: lm15.Request) -> str:
            raise lm15.ServerError("down", status=503)

    first, second = Schemas(), FakeEngine()
    model = replace(bound(first, adapter="json"), fallback=bound(second))
    journal = MemoryJournal()
    engine_on(model).execute(single(), QUESTION, journal, live=True)
    assert first.requests[0].config.response_format is not None
    assert second.requests[0].config.response_format is None


def test_an_engine_in_a_process_of_its_own_has_the_fallback_too(
    first: ScriptedLmServer, second: ScriptedLmServer
) -> None:
    first.script = Script(errors=[Error(500, times=9)])
    apart = ProcessEngine(Bounds(processes=1))
    try:
        apart.configure(choice(first, second))
        journal = MemoryJournal()
        apart.execute(single(), QUESTION, journal, live=True)
        assert (journal.calls[0].model, asked_model(journal)) == (SECOND, FIRST)
    finally:
        apart.close()


def test_a_fallback_without_its_key_is_refused_with_the_name_of_the_setting() -> None:
    told = {"STRATAL_LM": "ollama/llama3.2", "STRATAL_LM_FALLBACK": "openai/gpt-4o-mini"}
    settings = Settings.from_environment(told)

    with pytest.raises(ModelKeyIsMissing, match="STRATAL_LM_FALLBACK_API_KEY"):
        configured_engine(settings, NoTracing())
    keyed = Settings.from_environment({**told, "STRATAL_LM_FALLBACK_API_KEY": "sk-of-the-second"})
    configured_engine(keyed, NoTracing())
    assert "sk-of-the-second" not in str(keyed.shown())
