"""Which answers other runs get: those that could be read, of the very same request."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dspy
import pytest
from dspy import lm15

from application.lm_ports import ProgramFailed, RunStopped
from application.tracing import NoTracing
from domain.execution.values import TIMED_OUT
from domain.values import AS_DSPY, NO_USAGE, Reading, RunRef
from infrastructure.dspy_runtime import sharing
from infrastructure.dspy_runtime.recording import RecordingEngine, RecordingLM
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import (
    FailingEngine,
    FakeEngine,
    StochasticEngine,
    bound,
    single,
    two_steps,
)
from tests.support.sharing import Shared, SharingJournal

QUESTION = {"question": "What is 2 + 3?"}
GOOD = "[[ ## answer ## ]]\nbecause\n\n[[ ## completed ## ]]"
CAREFUL = Reading(repair=True, feedback=1)


class Saying(FakeEngine):
    """Says one of *answers* after the other."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self._answers = list(answers)

    def answer(self, request: lm15.Request) -> str:
        return self._answers.pop(0)


@pytest.mark.feature("LMP-14")
def test_lmp_14_an_equal_run_makes_no_call_and_says_whose_answers_it_has() -> None:
    shared, engine = Shared(), StochasticEngine()
    first, second = SharingJournal(shared), SharingJournal(shared)
    outputs = DspyRunner(bound(engine)).run(two_steps(), QUESTION, first, live=True)
    nobody = FakeEngine()
    again = DspyRunner(bound(nobody)).run(two_steps(), QUESTION, second, live=True)
    assert again == outputs
    assert (engine.calls, nobody.calls) == (2, 0)
    for made, hit in zip(first.calls, second.calls, strict=True):
        assert made.filled_by is None
        assert hit.filled_by == RunRef(kind="execution", id=first.id)
        assert (hit.usage, hit.cost_usd, hit.attempts) == (NO_USAGE, 0, 0)
        told = {"filled_by", "usage", "cost_usd", "attempts", "latency_ms"}
        assert hit.model_dump(exclude=told) == made.model_dump(exclude=told)


@pytest.mark.feature("LMP-14")
def test_lmp_14_a_replay_asks_the_log_alone() -> None:
    shared, engine = Shared(), FakeEngine()
    first, second = SharingJournal(shared), SharingJournal(shared)
    runner = DspyRunner(bound(engine))
    runner.run(two_steps(), QUESTION, first, live=True)
    runner.run(two_steps(), QUESTION, second, live=True)
    shared.answers.clear()
    asked = len(shared.asked)
    runner.run(two_steps(), QUESTION, second, live=False)
    assert (engine.calls, len(shared.asked)) == (2, asked)
    with pytest.raises(RunStopped, match="not in the log"):
        runner.run(single(), QUESTION, second, live=False)
    assert len(shared.asked) == asked


@pytest.mark.parametrize(
    ("reading", "answers", "read"),
    [
        (CAREFUL, [GOOD], [True]),
        (CAREFUL, ['{"answer": "because"}'], [True]),
        (CAREFUL, ["hm", GOOD], [False, True]),
        (CAREFUL, ["hm", "hm again", '{"answer": "because"}'], [False, False, True]),
        (AS_DSPY, ["never read", '{"answer": "because"}'], [False, True]),
        (CAREFUL, ["hm", "hm again", "hm"], [False, False, False]),
        (AS_DSPY, ["hm", "hm", "hm"], [False, False]),
    ],
)
@pytest.mark.feature("CCH-07")
def test_cch_07_an_answer_that_cannot_be_read_is_no_others(
    reading: Reading, answers: list[str], read: list[bool]
) -> None:
    shared = Shared()
    program = replace(single(), adapter="chat", reading=reading)
    runner = DspyRunner(bound(Saying(*answers)))
    try:
        runner.run(program, QUESTION, SharingJournal(shared), live=True)
    except ProgramFailed:
        assert not any(read)
    assert shared.read == read
    assert shared.is_settled


@pytest.mark.parametrize(
    "error",
    [
        lm15.InvalidRequestError("too long"),
        lm15.AuthError("no"),
        lm15.RateLimitError("later"),
        RuntimeError("a defect"),
    ],
)
@pytest.mark.feature("CCH-07")
def test_cch_07_no_error_is_anybodys_answer(error: Exception) -> None:
    shared = Shared()
    runner = DspyRunner(bound(FailingEngine(error)), retries=Retries(waits_s=()))
    with pytest.raises((ProgramFailed, RunStopped)):
        runner.run(single(), QUESTION, SharingJournal(shared), live=True)
    assert shared.read == [False]
    assert not shared.answers


def keyed(journal: SharingJournal, request: lm15.Request) -> str:
    """The key under which the answer to *request* is asked for."""
    engine = RecordingEngine(bound(FakeEngine()), journal, NoTracing())
    with sharing.reading_answers():
        engine.complete(request)
    return journal.calls[-1].key


_CHANGES: list[Callable[[lm15.Request], lm15.Request]] = [
    lambda it: replace(it, model="fake/other"),
    lambda it: replace(it, messages=(lm15.Message.user("Hello!"),)),
    lambda it: replace(it, messages=(*it.messages, lm15.Message.assistant("Hi"))),
    lambda it: replace(it, system="Be brief."),
]
_OPTIONS: list[dict[str, Any]] = [
    {"temperature": 0.5},
    {"top_p": 0.5},
    {"max_tokens": 7},
    {"stop": ("END",)},
    {"seed": 3},
    {"response_format": {"type": "json_schema", "schema": {"type": "object"}}},
]


@pytest.mark.feature("CCH-01")
def test_cch_01_whatever_differs_in_a_request_makes_it_another_one() -> None:
    base = lm15.Request(
        model="fake/model",
        messages=(lm15.Message.user("Hello"),),
        config=lm15.Config(temperature=0.0),
    )
    others = [change(base) for change in _CHANGES]
    others += [replace(base, config=replace(base.config, **each)) for each in _OPTIONS]
    journal = SharingJournal(Shared())
    keys = [keyed(journal, each) for each in (base, *others)]
    assert len(set(keys)) == 1 + len(_CHANGES) + len(_OPTIONS)
    assert keyed(SharingJournal(Shared()), base) == keys[0]


@pytest.mark.feature("CCH-01")
def test_cch_01_the_order_of_keys_and_fields_makes_no_difference() -> None:
    schema = {"type": "object", "title": "Answer"}
    turned = {"title": "Answer", "type": "object"}
    keys = {
        keyed(
            SharingJournal(Shared()),
            lm15.Request(
                model="fake/model",
                messages=(lm15.Message.user("Hello"),),
                config=lm15.Config(response_format={"type": "json_schema", "schema": each}),
            ),
        )
        for each in (schema, turned)
    }
    assert len(keys) == 1


def asked_directly(shared: Shared, **options: Any) -> SharingJournal:
    journal = SharingJournal(shared)
    lm = RecordingLM("fake/model", RecordingEngine(bound(FakeEngine()), journal, NoTracing()))
    with dspy.context(lm=lm):
        lm("Hello", **options)
    return journal


def test_another_rollout_is_another_sample() -> None:
    with sharing.reading_answers():
        keys = {
            asked_directly(Shared(), temperature=1.0, rollout_id=number).calls[0].key
            for number in (1, 2, 1)
        }
    assert len(keys) == 2


def test_a_call_that_nobody_reads_is_not_shared() -> None:
    shared = Shared()
    asked_directly(shared)
    assert not shared.asked
    sharing.was_read()
    sharing.asking_again()
    sharing.owe(SharingJournal(shared), "0" * 64)
    assert not shared.said


def test_each_of_several_candidates_is_kept_once_it_was_read() -> None:
    shared, engine = Shared(), FakeEngine()
    journal = SharingJournal(shared)
    runner = DspyRunner(bound(engine))
    recording = runner.engine(journal)
    with runner.settings(recording, "chat", CAREFUL):
        dspy.Predict("question -> answer", n=3, temperature=1.0)(question="Why?")
    assert shared.read == [True] * 3
    assert len(shared.answers) == 3


def test_a_run_that_ends_while_it_waits_for_another_one_ends() -> None:
    class Ended(SharingJournal):
        def shared(self, key: str, *, within_s: float) -> None:
            raise RunStopped(TIMED_OUT)

    engine = FakeEngine()
    with pytest.raises(RunStopped):
        DspyRunner(bound(engine)).run(single(), QUESTION, Ended(Shared()), live=True)
    assert engine.calls == 0
