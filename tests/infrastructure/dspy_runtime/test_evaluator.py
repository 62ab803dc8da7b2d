"""Many inputs: in their order, the same at every number of threads, and never in an outage."""

import re
import threading
from dataclasses import replace

import pytest
from dspy import lm15

from application.lm_ports import JsonObject, RunStopped
from domain.values import AS_DSPY, Reading
from infrastructure.dspy_runtime.evaluator import DspyEvaluator, in_order
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.answers import answer_text
from tests.support.dspy_programs import FailingEngine, FakeEngine, MemoryJournal, bound, single

BATCH: list[JsonObject] = [{"question": f"Row {n}?"} for n in range(12)]


class Knowing(FakeEngine):
    """Answers row n with n, all but the fourth."""

    def answer(self, request: lm15.Request) -> str:
        last = request.messages[-1].text or ""
        if "Row 4?" in last:
            return "unreadable"
        [number] = re.findall(r"Row (\d+)\?", last)
        return answer_text(last, {"answer": number}, seed="00" * 32)


class InJson(FakeEngine):
    """Answers in JSON, whatever form it is asked for."""

    def answer(self, request: lm15.Request) -> str:
        return '{"answer": "Because."}'


def evaluator(engine: FakeEngine, threads: int) -> DspyEvaluator:
    model = bound(engine, concurrency=threads)
    runner = DspyRunner(model, retries=Retries(waits_s=()))
    return DspyEvaluator(runner, model)


@pytest.mark.parametrize("threads", [1, 4])
def test_answers_keep_the_order_of_the_inputs_and_one_that_fails_says_why(threads: int) -> None:
    answers = evaluator(Knowing(), threads).forward(single(), BATCH, MemoryJournal())
    assert [each.outputs for each in answers[:4]] == [{"answer": str(n)} for n in range(4)]
    assert answers[4].outputs is None
    assert answers[4].failure is not None
    assert answers[4].failure.code == "output.unparseable"
    assert [each.outputs for each in answers[5:]] == [{"answer": str(n)} for n in range(5, 12)]


@pytest.mark.parametrize(("reading", "calls"), [(AS_DSPY, 2), (Reading(repair=True), 1)])
def test_answers_are_read_as_the_program_says(reading: Reading, calls: int) -> None:
    journal, program = MemoryJournal(), replace(single(), reading=reading)
    [answer] = evaluator(InJson(), 1).forward(program, BATCH[:1], journal)
    assert (answer.outputs, len(journal.calls)) == ({"answer": "Because."}, calls)


@pytest.mark.parametrize("threads", [1, 4])
def test_an_outage_is_never_an_answer(threads: int) -> None:
    engine = FailingEngine(*[lm15.ServerError("down", status=503)] * 20)
    with pytest.raises(RunStopped) as stopped:
        evaluator(engine, threads).forward(single(), BATCH, MemoryJournal())
    assert stopped.value.failure.code == "model.unavailable"
    assert stopped.value.failure.retryable
    assert engine.calls <= threads


def test_what_was_cancelled_stops_and_goes_on_where_it_was() -> None:
    engine, stopped = Knowing(), MemoryJournal(stop_after=5)
    with pytest.raises(RunStopped):
        evaluator(engine, 1).forward(single(), BATCH, stopped)
    journal = MemoryJournal(stopped.answers)
    evaluator(engine, 4).forward(single(), BATCH, journal)
    assert not {call.key for call in journal.calls} & set(stopped.answers)


def test_work_in_threads_keeps_its_order_and_its_context() -> None:
    barrier = threading.Barrier(4)

    def work(item: int) -> int:
        barrier.wait(5)
        return item * 2

    assert in_order(work, [1, 2, 3, 4], threads=4) == [2, 4, 6, 8]
