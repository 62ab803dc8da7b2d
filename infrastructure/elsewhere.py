"""What stands in for the DSPy runtime in processes that must not import it.

The API takes requests and the projector folds; programs run in workers. A command that would run
one is never dispatched here, so meeting these is a mistake of ours, not of a user.
"""

# ruff: noqa: ARG002 - the arguments are those of the protocols; nothing is done with them

from collections.abc import Callable, Sequence
from typing import NoReturn, Self

from application.lm_ports import (
    CallJournal,
    JsonObject,
    OptimizedProgram,
    OptimizerJob,
    RunnableProgram,
    ScoredRow,
)
from domain.probe.values import Findings, ModulePromise


class ProgramsRunInWorkers(RuntimeError):
    """A command that runs a program was dispatched in a process without the DSPy runtime."""

    def __init__(self) -> None:
        super().__init__("Programs run in workers; this process has no DSPy runtime.")


class Elsewhere:
    """Runs, scores, optimizes and probes, each as a refusal: of a process that does nothing so."""

    @property
    def runner(self) -> Self:
        return self

    @property
    def evaluator(self) -> Self:
        return self

    @property
    def optimizers(self) -> Self:
        return self

    @property
    def prober(self) -> Self:
        return self

    def probe(self, promise: ModulePromise) -> Findings:
        raise ProgramsRunInWorkers

    def run(
        self, program: RunnableProgram, inputs: JsonObject, journal: CallJournal, *, live: bool
    ) -> NoReturn:
        raise ProgramsRunInWorkers

    def evaluate(
        self,
        program: RunnableProgram,
        rows: Sequence[JsonObject],
        metric: str,
        journal: CallJournal,
    ) -> Sequence[ScoredRow]:
        raise ProgramsRunInWorkers

    def pins(self, seed: int) -> dict[str, str]:
        raise ProgramsRunInWorkers

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        raise ProgramsRunInWorkers
