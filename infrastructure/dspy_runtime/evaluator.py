"""Run a program on many inputs: several at once, the results in the order of the inputs."""

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from application.lm_ports import (
    CallJournal,
    Forwarded,
    JsonObject,
    ProgramFailed,
    RunnableProgram,
)
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.runtime import DspyRunner

T = TypeVar("T")
R = TypeVar("R")


class DspyEvaluator:
    """Runs programs on many inputs with *runner* on its *model*."""

    def __init__(self, runner: DspyRunner, model: Model) -> None:
        self._runner = runner
        self._threads = model.concurrency

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        """Run *program* on each inputs of *batch*; some may fail.

        Raises:
            RunStopped: The journal refused, or the model is unavailable: nothing is known of any.
            ProgramFailed: The program itself cannot be built.
        """
        built = self._runner.program(program)

        def answer(inputs: JsonObject) -> Forwarded:
            try:
                return Forwarded(self._runner.answer(built, program, inputs), None)
            except ProgramFailed as failed:
                return Forwarded(None, failed.failure)

        run = self._runner.engine(journal)
        with self._runner.settings(run, program.adapter, program.reading):
            return in_order(answer, batch, threads=self._threads)


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
