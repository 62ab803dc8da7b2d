"""Wishing for a better version of a program, searching for it, and adopting what was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import Field, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from application import lm_ports
from application.attempts import Monotonic, Stopwatch, carry_out, insist
from application.authorization import Permission
from application.commands import Command, handles
from application.datasets import CHUNK_ROWS, fitting_rows, rows_of, written_in_place
from application.journal import Decision, RunJournal
from application.lm_ports import OptimizerJob, OptimizerRunner
from application.payloads import Payload
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.runnable import resolve_version
from application.supplies import Supplies
from domain.dataset.aggregate import Dataset
from domain.dataset.values import Split
from domain.errors import ConflictError
from domain.evaluation.metrics import metric
from domain.optimization.aggregate import Optimization
from domain.optimization.catalog import DEFAULT_OPTIMIZER, complete_config
from domain.optimization.events import OptimizationRequested
from domain.optimization.values import DEFAULT_SEED
from domain.program.aggregate import Program
from domain.program.values import Action, Stage
from domain.run import RunStatus
from domain.signature.fields import SignatureSpec
from domain.text import JsonObject, LongText
from domain.values import Failure

_SEEDS: Final = frozenset({"seed", "call_keys", "python_hash_seed"})


class NothingToAdopt(ConflictError):
    code: ClassVar[str] = "optimization.nothing_to_adopt"

    def __init__(self, optimization_id: UUID, status: RunStatus) -> None:
        super().__init__(
            f"Optimization {optimization_id} is {status}; only a completed one has a result."
        )
        self.optimization_id, self.status = optimization_id, status


class RequestOptimization(Command):
    """Without an optimizer the program's own is used; ``config`` overrides its defaults.

    A ``trainset`` becomes a dataset of its own, the same for the same rows.
    """

    optimization_id: UUID
    program_id: UUID
    program_version: PositiveInt | None = None
    optimizer: str | None = None
    config: JsonObject = {}
    dataset_id: UUID | None = None
    trainset: Annotated[tuple[JsonObject, ...], Field(max_length=CHUNK_ROWS)] = ()
    metric: str
    seed: Annotated[int, Field(ge=1, lt=2**32)] = DEFAULT_SEED

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.dataset_id is None) == (not self.trainset):
            raise PydanticCustomError("optimization.one_form", "Send either dataset or trainset.")
        return self


class RunOptimization(Command):
    optimization_id: UUID


class AdoptOptimization(Command):
    """Make the result a new version of the program; a second time changes nothing."""

    optimization_id: UUID


class CancelOptimization(Command):
    optimization_id: UUID
    reason: LongText = "No reason was given."
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class OptimizationHandlers:
    """``worker`` names this process in the log."""

    optimizations: Repository[Optimization]
    programs: Repository[Program]
    datasets: Repository[Dataset]
    payloads: PayloadStore
    supplies: Supplies
    optimizers: OptimizerRunner
    clock: Clock
    monotonic: Monotonic
    worker: str

    @handles(RequestOptimization, Permission.COMPILE)
    def request(self, command: RequestOptimization) -> Receipt:
        program = self.programs.get(command.program_id)
        version = resolve_version(program, command.program_version, Action.COMPILE)
        optimizer = command.optimizer or program.default_optimizer or DEFAULT_OPTIMIZER
        config = complete_config(optimizer, command.config)
        metric(command.metric)
        signature = program.version_state(version).graph.signature
        dataset = self._dataset(command, signature)
        rows = fitting_rows(dataset, Split.TRAIN, signature)
        wish = OptimizationRequested(
            program_id=program.id,
            program_version=version,
            optimizer=optimizer,
            config=config,
            dataset_id=dataset.id,
            dataset_rows=len(command.trainset) or rows,
            metric=command.metric,
            seed=command.seed,
        )
        at = self.clock.now()
        return self.optimizations.save(Optimization.request(command.optimization_id, wish, at=at))

    def _dataset(self, command: RequestOptimization, spec: SignatureSpec) -> Dataset:
        if command.dataset_id is None:
            return written_in_place(self.datasets, command.trainset, spec, self.clock)
        return self.datasets.get(command.dataset_id)

    @handles(CancelOptimization, Permission.COMPILE)
    def cancel(self, command: CancelOptimization) -> Receipt:
        def decide(optimization: Optimization) -> None:
            optimization.expect(command.expected_version)
            optimization.cancel(command.reason, at=self.clock.now())

        return insist(self.optimizations, command.optimization_id, decide)

    @handles(RunOptimization, Permission.WORK)
    def run(self, command: RunOptimization) -> Receipt:
        work = _OptimizationWork(self, Stopwatch.started(self.monotonic))
        return carry_out(self.optimizations, command.optimization_id, work)

    @handles(AdoptOptimization, Permission.WORK)
    def adopt(self, command: AdoptOptimization) -> Receipt:
        optimization = self.optimizations.get(command.optimization_id)
        wish, result = optimization.wish, optimization.result
        if result is None:
            raise NothingToAdopt(optimization.id, optimization.status)

        def decide(program: Program) -> None:
            if program.stage is Stage.RETIRED:  # meanwhile
                return
            program.compile(
                base_version=wish.program_version,
                optimization_id=optimization.id,
                optimizer=wish.optimizer,
                state=result.state,
                training_score=result.training_score,
                libraries=_libraries(optimization.pins),
                at=self.clock.now(),
            )

        return insist(self.programs, wish.program_id, decide)


def _libraries(pins: Mapping[str, str]) -> dict[str, str]:
    """The library versions among *pins*; the rest are seeds, of this one run."""
    return {name: version for name, version in pins.items() if name not in _SEEDS}


@dataclass(frozen=True, slots=True)
class _OptimizationWork:
    ports: OptimizationHandlers
    stopwatch: Stopwatch

    def start(self, run: Optimization) -> None:
        pins = self.ports.optimizers.pins(run.wish.seed)
        run.start(self.ports.worker, pins, at=self.ports.clock.now())

    def journal(self, run: Optimization) -> RunJournal[Optimization]:
        ports = self.ports
        return RunJournal(run, ports.optimizations, ports.payloads, ports.clock)

    def perform(
        self, run: Optimization, journal: RunJournal[Optimization]
    ) -> Decision[Optimization]:
        ports = self.ports

        def on_trial(trial: int, score: float, state: lm_ports.JsonObject) -> None:
            candidate, at = Payload.of(dict(state)), ports.clock.now()
            journal.note(
                Decision(
                    lambda held: held.score_trial(trial, score, candidate.ref, at=at), [candidate]
                )
            )

        found = ports.optimizers.optimize(self._job(run), journal, on_trial)
        state, took_ms, at = (
            Payload.of(dict(found.state)),
            self.stopwatch.elapsed_ms,
            ports.clock.now(),
        )
        score = found.training_score
        return Decision(
            lambda held: held.complete(state.ref, training_score=score, duration_ms=took_ms, at=at),
            [state],
        )

    def fail(self, run: Optimization, failure: Failure) -> None:
        run.fail(failure, at=self.ports.clock.now())

    def _job(self, run: Optimization) -> OptimizerJob:
        ports, wish = self.ports, run.wish
        program = ports.programs.get(wish.program_id)
        dataset = ports.datasets.get(wish.dataset_id)
        return OptimizerJob(
            program=ports.supplies.runnable(program, wish.program_version),
            optimizer=wish.optimizer,
            config=wish.config,
            metric=wish.metric,
            seed=wish.seed,
            rows=rows_of(dataset, Split.TRAIN, ports.payloads, limit=wish.dataset_rows),
        )
