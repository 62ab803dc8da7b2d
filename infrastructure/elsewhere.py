"""What stands in for an engine in processes that must not import it.

The API takes requests and the projector folds; programs run in workers. A command that would run
one is never dispatched here, so meeting these is a mistake of ours, not of a user.
"""

# ruff: noqa: ARG002 - the arguments are those of the protocols; nothing is done with them

from collections.abc import Callable, Sequence
from typing import NoReturn, Self

from application.circuits import Circuits
from application.extensions import NoPlugins
from application.lm_ports import (
    CallJournal,
    Forwarded,
    JsonObject,
    ModelChoice,
    OptimizedProgram,
    OptimizerJob,
    RunnableProgram,
)
from application.tool_ports import NoTools
from domain.module.values import ModuleSpec
from domain.probe.values import Findings, ModulePromise


class ProgramsRunInWorkers(RuntimeError):
    """A command that runs a program was dispatched in a process without an engine."""

    def __init__(self) -> None:
        super().__init__("Programs run in workers; this process has no engine.")


class Elsewhere:
    """Runs, optimizes and probes, each as a refusal: of a process that does nothing so."""

    @property
    def engine(self) -> Self:
        return self

    @property
    def prober(self) -> Self:
        return self

    @property
    def toolbox(self) -> NoTools:
        return NoTools()

    @property
    def plugins(self) -> NoPlugins:
        return NoPlugins()

    @property
    def circuits(self) -> Circuits:
        return Circuits()

    def close(self) -> None:
        """Nothing was started."""

    def probe(self, promise: ModulePromise) -> Findings:
        raise ProgramsRunInWorkers

    def configure(self, model: ModelChoice) -> None:
        raise ProgramsRunInWorkers

    def create_module(self, module: ModuleSpec) -> None:
        raise ProgramsRunInWorkers

    def create_program(self, program: RunnableProgram) -> None:
        raise ProgramsRunInWorkers

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> NoReturn:
        raise ProgramsRunInWorkers

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
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
