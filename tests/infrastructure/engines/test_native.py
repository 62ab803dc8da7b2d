"""The engine without DSPy at work: what the model and the network do, and when it is over."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from application.lm_ports import (
    JsonObject,
    ModelChoice,
    NotCarried,
    ProgramFailed,
    RunStopped,
    TimeIsOver,
)
from domain.signature.types import INTEGER
from domain.values import Failure, Reading, RunRef
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.engines.native.model import ChatModel, NativeModelIsInvalid
from tests.support.dspy_programs import (
    FakeEngine,
    MemoryJournal,
    bound,
    engine_on,
    single,
    spec,
    two_steps,
)
from tests.support.scripted_lm import Error, Script, ScriptedLmServer
from tests.support.sharing import Shared, SharingJournal

QUESTION: JsonObject = {"question": "Why?"}


@pytest.fixture
def lm() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as lm:
        yield lm


@pytest.fixture
def engine(lm: ScriptedLmServer) -> Iterator[NativeEngine]:
    engine = NativeEngine()
    engine.configure(chosen(lm))
    yield engine
    engine.close()


def chosen(lm: ScriptedLmServer) -> ModelChoice:
    return ModelChoice("openai/gpt-4o-mini", api_base=lm.url, api_key="sk-of-a-test")


def failure_of(engine: NativeEngine, journal: MemoryJournal | None = None) -> Failure:
    with pytest.raises((ProgramFailed, RunStopped)) as ended:
        engine.execute(single(), QUESTION, journal or MemoryJournal(), live=True)
    return ended.value.failure


@pytest.mark.parametrize(
    ("status", "code", "later"),
    [
        (401, "model.auth_refused", False),
        (404, "model.unknown", False),
        (429, "model.rate_limited", True),
        (500, "model.unavailable", True),
        (503, "model.unavailable", True),
    ],
)
def test_what_the_provider_refuses_is_typed_and_recorded(
    engine: NativeEngine, lm: ScriptedLmServer, status: int, code: str, later: bool
) -> None:
    lm.script = Script(errors=[Error(status, message="sk-of-a-test is no good\nat line 7")])
    journal = MemoryJournal()
    failure = failure_of(engine, journal)
    assert (failure.code, failure.retryable, failure.provider_status) == (code, later, status)
    assert failure.message == "The model call failed: •••• is no good"
    assert journal.calls[0].failure == failure
    assert journal.calls[0].response is None
    assert engine.execute(single(), QUESTION, journal, live=True)  # it is asked again


def test_a_request_that_is_refused_for_good_is_not_made_again(
    engine: NativeEngine, lm: ScriptedLmServer
) -> None:
    lm.script = Script(errors=[Error(400, message="too long")])
    journal = MemoryJournal()
    first = failure_of(engine, journal)
    assert first.code == "model.request_refused"
    assert failure_of(engine, journal) == first
    assert lm.calls == 1


def test_the_call_under_way_is_given_up_when_the_time_is_over(
    engine: NativeEngine, lm: ScriptedLmServer
) -> None:
    lm.script = Script(latency_ms=1_500)
    journal = MemoryJournal()
    with pytest.raises(TimeIsOver):
        engine.execute(two_steps(), QUESTION, journal, live=True, within_s=0.2)
    [call] = journal.calls
    assert call.failure is not None
    assert call.failure.code == "model.timeout"
    assert call.latency_ms < 1_500
    with pytest.raises(TimeIsOver):
        engine.execute(two_steps(), QUESTION, MemoryJournal(), live=True, within_s=0)


def test_a_server_that_is_gone_can_be_asked_later(lm: ScriptedLmServer) -> None:
    engine = NativeEngine()
    engine.configure(ModelChoice("openai/x", api_base="http://127.0.0.1:1/v1", api_key="k"))
    failure = failure_of(engine)
    assert (failure.code, failure.retryable) == ("model.unreachable", True)


@pytest.mark.parametrize("reading", [Reading(), Reading(repair=True, feedback=1)])
def test_what_dspy_would_ask_about_again_is_refused_here(
    engine: NativeEngine, lm: ScriptedLmServer, reading: Reading
) -> None:
    lm.script = Script(replies=[("", {"count": "many"})])
    program = replace(single(spec("question", {"count": INTEGER})), reading=reading)
    with pytest.raises(NotCarried, match="answers that are not in the form asked for"):
        engine.execute(program, QUESTION, MemoryJournal(), live=True)
    assert lm.calls == 1


@pytest.mark.parametrize("reading", [Reading(), Reading(repair=True, feedback=1)])
def test_a_text_that_repeats_its_place_in_the_prompt_is_an_answer_here_too(
    engine: NativeEngine, lm: ScriptedLmServer, reading: Reading
) -> None:
    echo = {"answer": "{answer} of the prompt"}
    lm.script = Script(replies=[("", echo)])
    program, journal = replace(single(), reading=reading), MemoryJournal()
    assert engine.execute(program, QUESTION, journal, live=True) == echo
    by_dspy = engine_on(replace(bound(FakeEngine()), model=chosen(lm).name))
    assert by_dspy.execute(program, QUESTION, journal, live=False) == echo


def test_a_replay_asks_nobody(engine: NativeEngine, lm: ScriptedLmServer) -> None:
    with pytest.raises(RunStopped) as stopped:
        engine.execute(single(), QUESTION, MemoryJournal(), live=False)
    assert stopped.value.failure.code == "replay.diverged"
    assert lm.calls == 0


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (ModelChoice("local", api_key="k"), "Use openai/NAME"),
        (ModelChoice("anthropic/claude", api_key="k"), "Use openai/NAME"),
        (ModelChoice("openai/gpt-4o"), "needs the key"),
    ],
)
def test_a_model_of_another_kind_is_refused(choice: ModelChoice, why: str) -> None:
    with pytest.raises(NativeModelIsInvalid, match=why):
        ChatModel(choice)


def test_it_starts_without_dspy() -> None:
    code = (
        "import sys; from infrastructure.engines.native.engine import NativeEngine;"
        "from application.lm_ports import ModelChoice;"
        "NativeEngine().configure(ModelChoice('openai/x', api_key='k'));"
        "heavy = {'dspy', 'litellm', 'openai', 'dramatiq', 'psycopg'} & set(sys.modules);"
        "import infrastructure.main.worker;"  # nor does the worker that has it
        "print(sorted(heavy | {'dspy', 'litellm', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.feature("LMP-14")
def test_lmp_14_what_one_engine_was_answered_answers_the_other(
    engine: NativeEngine, lm: ScriptedLmServer
) -> None:
    shared = Shared()
    first, second, third = (SharingJournal(shared) for _ in range(3))
    outputs = engine.execute(two_steps(), QUESTION, first, live=True)
    assert engine.execute(two_steps(), QUESTION, second, live=True) == outputs
    by_dspy = engine_on(replace(bound(FakeEngine()), model=chosen(lm).name))
    assert by_dspy.execute(two_steps(), QUESTION, third, live=True) == outputs
    assert lm.calls == 2
    assert shared.read == [True, True]
    for journal in (second, third):
        hits = [(call.filled_by, call.attempts, call.cost_usd) for call in journal.calls]
        assert hits == [(RunRef(kind="execution", id=first.id), 0, 0)] * 2


@pytest.mark.feature("CCH-07")
def test_cch_07_neither_refusals_nor_what_cannot_be_read_answer_others(
    engine: NativeEngine, lm: ScriptedLmServer
) -> None:
    shared = Shared()
    for status in (400, 503):
        lm.script = Script(errors=[Error(status)])
        with pytest.raises((ProgramFailed, RunStopped)):
            engine.execute(single(), QUESTION, SharingJournal(shared), live=True)
    lm.script = Script(replies=[("", {"count": "many"})])
    program = single(spec("question", {"count": INTEGER}), key="counting@1")
    with pytest.raises(NotCarried):
        engine.execute(program, QUESTION, SharingJournal(shared), live=True)
    assert shared.read == [False] * 3
    assert not shared.answers
