"""Scoring: in the rows' order, the same at every number of threads, and never in an outage."""

import threading

import pytest
from dspy import lm15

from application.lm_ports import JsonObject, ProgramFailed, RunStopped
from domain.evaluation.errors import UnknownMetric
from infrastructure.dspy_runtime import evaluator as module
from infrastructure.dspy_runtime.evaluator import DspyEvaluator, in_order
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.answers import answer_text
from tests.support.dspy_programs import FailingEngine, FakeEngine, MemoryJournal, bound, single

ROWS: list[JsonObject] = [{"question": f"Row {n}?", "answer": str(n % 3)} for n in range(12)]


class Knowing(FakeEngine):
    """Answers row n with 0: right for every third."""

    def answer(self, request: lm15.Request) -> str:
        last = request.messages[-1].text or ""
        if "Row 4?" in last:
            return "unreadable"
        return answer_text(last, {"answer": "0"}, seed="00" * 32)


def evaluator(engine: FakeEngine, threads: int) -> DspyEvaluator:
    model = bound(engine, concurrency=threads)
    runner = DspyRunner(model, retries=Retries(waits_s=()))
    return DspyEvaluator(runner, model)


@pytest.mark.parametrize("threads", [1, 4])
def test_rows_are_scored_in_their_order_and_a_failed_one_scores_0(threads: int) -> None:
    scored = evaluator(Knowing(), threads).evaluate(single(), ROWS, "exact_match", MemoryJournal())
    assert [each.row for each in scored] == ROWS
    assert [each.score for each in scored] == [float(n % 3 == 0) for n in range(12)]
    assert scored[4].outputs is None
    assert scored[4].failure is not None
    assert scored[4].failure.code == "output.unparseable"
    assert scored[0].outputs == {"answer": "0"}


@pytest.mark.parametrize("threads", [1, 4])
def test_an_outage_is_never_a_score_of_0(threads: int) -> None:
    engine = FailingEngine(*[lm15.ServerError("down", status=503)] * 20)
    with pytest.raises(RunStopped) as stopped:
        evaluator(engine, threads).evaluate(single(), ROWS, "exact_match", MemoryJournal())
    assert stopped.value.failure.code == "model.unavailable"
    assert stopped.value.failure.retryable
    assert engine.calls <= threads


def test_a_cancelled_evaluation_stops_and_goes_on_where_it_was() -> None:
    engine, stopped = Knowing(), MemoryJournal(stop_after=5)
    with pytest.raises(RunStopped):
        evaluator(engine, 1).evaluate(single(), ROWS, "exact_match", stopped)
    journal = MemoryJournal(stopped.answers)
    evaluator(engine, 4).evaluate(single(), ROWS, "exact_match", journal)
    assert not {call.key for call in journal.calls} & set(stopped.answers)


def test_an_unknown_metric_is_refused_before_any_call() -> None:
    engine = FakeEngine()
    with pytest.raises(UnknownMetric):
        evaluator(engine, 1).evaluate(single(), ROWS, "guess", MemoryJournal())
    assert engine.calls == 0


def test_a_metric_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.metrics, "metric", lambda name: lambda example, prediction: 1 / 0)
    with pytest.raises(ProgramFailed) as failed:
        evaluator(Knowing(), 4).evaluate(single(), ROWS, "exact_match", MemoryJournal())
    assert failed.value.failure.code == "metric.failed"
    assert "exact_match" in failed.value.failure.message


def test_work_in_threads_keeps_its_order_and_its_context() -> None:
    barrier = threading.Barrier(4)

    def work(item: int) -> int:
        barrier.wait(5)
        return item * 2

    assert in_order(work, [1, 2, 3, 4], threads=4) == [2, 4, 6, 8]
