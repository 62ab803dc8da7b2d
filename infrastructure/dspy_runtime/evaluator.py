"""Score a program on the rows of a dataset: several at once, the results in the rows' order."""

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from application.lm_ports import (
    CallJournal,
    JsonObject,
    ProgramFailed,
    RunnableProgram,
    ScoredRow,
)
from domain.evaluation import metrics
from domain.evaluation.metrics import Metric
from domain.values import Failure
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.runtime import DspyRunner

T = TypeVar("T")
R = TypeVar("R")


class DspyEvaluator:
    """Scores programs with *runner* on its *model*."""

    def __init__(self, runner: DspyRunner, model: Model) -> None:
        self._runner = runner
        self._threads = model.concurrency

    def evaluate(
        self,
        program: RunnableProgram,
        rows: Sequence[JsonObject],
        metric: str,
        journal: CallJournal,
    ) -> Sequence[ScoredRow]:
        """Run *program* on every row and score the answers; a row that failed scores 0.

        Raises:
            RunStopped: The journal refused, or the model is unavailable: nothing was scored.
            ProgramFailed: The program itself cannot be built, or the metric failed.
        """
        measure = metrics.metric(metric)
        built = self._runner.program(program)
        inputs = {field.name for field in program.graph.signature.inputs}

        def score(row: JsonObject) -> ScoredRow:
            given = {name: value for name, value in row.items() if name in inputs}
            try:
                outputs = self._runner.answer(built, program, given)
            except ProgramFailed as failed:
                return ScoredRow(row, None, 0.0, failed.failure)
            return ScoredRow(row, outputs, measured(measure, metric, row, outputs), None)

        with self._runner.settings(self._runner.engine(journal), program.adapter):
            return in_order(score, rows, threads=self._threads)


def measured(measure: Metric, name: str, row: JsonObject, outputs: JsonObject) -> float:
    """The score of *outputs* against *row*, in 0..1.

    Raises:
        ProgramFailed: The metric failed (``metric.failed``); a score of 0 would hide that.
    """
    try:
        return min(1.0, max(0.0, float(measure(row, outputs))))
    except Exception as error:
        message = f"The metric {name} failed ({type(error).__name__}): {str(error)[:300]}"
        raise ProgramFailed(Failure(code="metric.failed", message=message)) from error


def in_order(work: Callable[[T], R], items: Sequence[T], *, threads: int) -> list[R]:
    """What *work* makes of each item, in the items' order; the first failure ends it all."""
    if threads == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        # Each with a copy of this thread's context: DSPy's settings and the current span.
        futures = [pool.submit(contextvars.copy_context().run, work, item) for item in items]
        wait(futures, return_when="FIRST_EXCEPTION")
        for future in futures:
            future.cancel()
        failed = next(
            (f for f in futures if f.done() and not f.cancelled() and f.exception()), None
        )
        if failed is not None:
            pool.shutdown(wait=True, cancel_futures=True)
            failed.result()
        return [future.result() for future in futures]
