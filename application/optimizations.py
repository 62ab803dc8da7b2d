"""Wishing for a better version of a program, searching for it, deciding on what was found."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import Field, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from application import lm_ports
from application.attempts import Stopwatch, carry_out, insist
from application.authorization import Permission
from application.caching import NO_CACHES, Caches
from application.commands import Command, handles
from application.datasets import CHUNK_ROWS, fitting_rows, written_in_place
from application.examples import pinned_rows
from application.extensions import NOTHING_MORE, Extensions
from application.journal import Decision, RunJournal
from application.lm_ports import Engine, OptimizerJob, RunnableProgram
from application.payloads import Payload, canonical_json
from application.ports import Clock, Monotonic, PayloadStore, Receipt, Repository
from application.pricing import NO_PRICES, PriceBook
from application.reasons import NO_REASON
from application.runnable import resolve_version
from application.scoring import scored
from application.supplies import Supplies
from domain.dataset.aggregate import Dataset
from domain.dataset.values import Split
from domain.errors import ConflictError
from domain.optimization.aggregate import Optimization
from domain.optimization.catalog import DEFAULT_OPTIMIZER
from domain.optimization.errors import NothingIsProposed
from domain.optimization.events import OptimizationRequested
from domain.optimization.values import DEFAULT_SEED, Adoption, HeldOut
from domain.program.aggregate import Program
from domain.program.caching import caches_of
from domain.program.events import ProgramCompiled
from domain.program.values import Action, Stage
from domain.program.versions import VersionState, made
from domain.run import RunStatus
from domain.signature.fields import SignatureSpec
from domain.text import JsonObject, LongText
from domain.values import AS_DSPY, Cache, Failure, Reading

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

    A ``trainset`` becomes a dataset of its own, the same for the same rows. With approval, what is
    found is scored on the held-out rows, and becomes a version once somebody approved.
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
    adopt: Adoption = Adoption.AUTO

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.dataset_id is None) == (not self.trainset):
            raise PydanticCustomError("optimization.one_form", "Send either dataset or trainset.")
        return self


class RunOptimization(Command):
    optimization_id: UUID


class AdoptOptimization(Command):
    """Make the result a new version of the program, unless it has to be approved and was not.

    A second time changes nothing.
    """

    optimization_id: UUID


class ApproveOptimization(Command):
    """Let the result that an optimization proposes become a version."""

    optimization_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class RejectOptimization(Command):
    """Let no version come of the result that an optimization proposes."""

    optimization_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class CancelOptimization(Command):
    optimization_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class OptimizationHandlers:
    """``worker`` names this process in the log."""

    optimizations: Repository[Optimization]
    programs: Repository[Program]
    datasets: Repository[Dataset]
    payloads: PayloadStore
    supplies: Supplies
    engine: Engine
    clock: Clock
    monotonic: Monotonic
    worker: str
    reading: Reading = AS_DSPY
    extensions: Extensions = NOTHING_MORE
    caches: Caches = NO_CACHES
    prices: PriceBook = NO_PRICES

    @handles(RequestOptimization, Permission.COMPILE)
    def request(self, command: RequestOptimization) -> Receipt:
        program = self.programs.get(command.program_id)
        version = resolve_version(program, command.program_version, Action.COMPILE)
        optimizer = command.optimizer or program.default_optimizer or DEFAULT_OPTIMIZER
        config = self.extensions.complete_config(optimizer, command.config)
        self.extensions.require_metric(command.metric)
        signature = program.version_state(version).graph.signature
        dataset = self._dataset(command, signature)
        rows = fitting_rows(dataset, Split.TRAIN, signature)
        wish = OptimizationRequested(
            program_id=program.id,
            program_version=version,
            optimizer=optimizer,
            config=config,
            dataset_id=dataset.id,
            dataset_rows=rows,
            metric=command.metric,
            seed=command.seed,
            dataset_version=dataset.version,
            adopt=command.adopt,
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
        if not optimization.may_become_a_version:
            return Receipt(optimization.id, optimization.version, 0)

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

    @handles(ApproveOptimization, Permission.DEPLOY)
    def approve(self, command: ApproveOptimization) -> Receipt:
        def decide(optimization: Optimization) -> None:
            optimization.expect(command.expected_version)
            self.programs.get(optimization.wish.program_id).require(Action.COMPILE)
            optimization.approve(command.reason, at=self.clock.now())

        return insist(self.optimizations, command.optimization_id, decide)

    @handles(RejectOptimization, Permission.DEPLOY)
    def reject(self, command: RejectOptimization) -> Receipt:
        def decide(optimization: Optimization) -> None:
            optimization.expect(command.expected_version)
            optimization.reject(command.reason, at=self.clock.now())

        return insist(self.optimizations, command.optimization_id, decide)


def proposed(program: Program, optimization: Optimization) -> VersionState:
    """The version that *program* gets when what *optimization* found is adopted.

    Raises:
        NothingIsProposed: It waits for nobody's approval, and never did.
    """
    wish, result = optimization.wish, optimization.result
    if result is None or optimization.proposal is None:
        raise NothingIsProposed(optimization.id, optimization.status)
    base = program.version_state(wish.program_version)
    compiled = ProgramCompiled(
        new_version=program.latest_version + 1,
        base_version=wish.program_version,
        optimization_id=optimization.id,
        optimizer=wish.optimizer,
        state=result.state,
        training_score=result.training_score,
        pins=base.pins.model_copy(update={"libraries": _libraries(optimization.pins)}),
    )
    return made(compiled, list(program.versions))


def _libraries(pins: Mapping[str, str]) -> dict[str, str]:
    """The library versions among *pins*; the rest are seeds, of this one run."""
    return {name: version for name, version in pins.items() if name not in _SEEDS}


@dataclass(frozen=True, slots=True)
class _OptimizationWork:
    ports: OptimizationHandlers
    stopwatch: Stopwatch

    def start(self, run: Optimization) -> None:
        wish, ports = run.wish, self.ports
        sources = ports.extensions.sources(wish.optimizer, wish.metric)
        pins = {**ports.engine.pins(wish.seed), **sources}
        run.start(self.ports.worker, pins, at=self.ports.clock.now())

    def journal(self, run: Optimization) -> RunJournal[Optimization]:
        ports = self.ports
        return RunJournal(run, ports.optimizations, ports.payloads, ports.clock, ports.prices)

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

        if Cache.ANSWERS in caches_of(ports.programs.get(run.wish.program_id).config):
            journal.share(ports.caches.answers, run.wish.program_id)
        job = self._job(run)
        found = ports.engine.optimize(job, journal, on_trial)
        heldout = self._heldout(run, job.program, found.state, journal)
        state, took_ms = Payload.of(dict(found.state)), self.stopwatch.elapsed_ms
        at, score = ports.clock.now(), found.training_score
        return Decision(
            lambda held: held.complete(
                state.ref, training_score=score, duration_ms=took_ms, heldout=heldout, at=at
            ),
            [state],
        )

    def _heldout(
        self,
        run: Optimization,
        base: RunnableProgram,
        state: lm_ports.JsonObject,
        journal: RunJournal[Optimization],
    ) -> HeldOut | None:
        """What somebody who is to approve needs to know; nobody pays for it otherwise."""
        ports = self.ports
        if run.wish.adopt is Adoption.AUTO or not (rows := self._rows(run, Split.HELDOUT)):
            return None

        def score(program: RunnableProgram) -> float:
            as_run = replace(program, reading=ports.reading)  # as executions will be
            judged = scored(ports.engine, as_run, rows, run.wish.metric, journal, ports.extensions)
            return fsum(each.score for each in judged) / len(rows)

        digest = hashlib.sha256(canonical_json(dict(state))).hexdigest()[:16]
        found = replace(base, key=f"{base.key}+{digest}", state=state, edits={})
        return HeldOut(rows=len(rows), baseline=score(base), score=score(found))

    def fail(self, run: Optimization, failure: Failure) -> None:
        run.fail(failure, at=self.ports.clock.now())

    def _job(self, run: Optimization) -> OptimizerJob:
        ports, wish = self.ports, run.wish
        return OptimizerJob(
            program=ports.supplies.runnable(wish.program_id, wish.program_version),
            optimizer=wish.optimizer,
            config=wish.config,
            metric=wish.metric,
            seed=wish.seed,
            rows=self._rows(run, Split.TRAIN),
        )

    def _rows(self, run: Optimization, split: Split) -> Sequence[lm_ports.JsonObject]:
        return pinned_rows(
            self.ports.datasets,
            self.ports.payloads,
            run.wish.dataset_id,
            split,
            version=run.wish.dataset_version,
            count=run.wish.dataset_rows,
        )
