"""Wishing for a score of a program version, and finding it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum
from uuid import UUID

from pydantic import JsonValue, PositiveInt

from application.attempts import Stopwatch, carry_out, insist
from application.authorization import Permission
from application.caching import NO_CACHES, Caches
from application.commands import Command, handles
from application.datasets import fitting_rows
from application.examples import pinned_rows
from application.extensions import NOTHING_MORE, Extensions
from application.journal import Decision, RunJournal
from application.lm_ports import Engine
from application.payloads import Payload
from application.ports import Clock, Monotonic, PayloadStore, Receipt, Repository
from application.pricing import NO_PRICES, PriceBook
from application.reasons import NO_REASON
from application.runnable import resolve_version
from application.scoring import ScoredRow, scored
from application.scrubbing import scrubbed
from application.supplies import Supplies
from domain.dataset.aggregate import Dataset
from domain.dataset.values import Split
from domain.evaluation.aggregate import Evaluation
from domain.evaluation.events import EvaluationRequested
from domain.program.aggregate import Program
from domain.program.caching import caches_of
from domain.program.values import Action
from domain.text import LongText
from domain.values import AS_DSPY, Cache, Failure, Reading


class RequestEvaluation(Command):
    """Without a version the deployed one is scored, or the latest while none is deployed."""

    evaluation_id: UUID
    program_id: UUID
    program_version: PositiveInt | None = None
    dataset_id: UUID
    split: Split = Split.HELDOUT
    metric: str


class RunEvaluation(Command):
    evaluation_id: UUID


class CancelEvaluation(Command):
    evaluation_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class EvaluationHandlers:
    """``worker`` names this process in the log."""

    evaluations: Repository[Evaluation]
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

    @handles(RequestEvaluation, Permission.COMPILE)
    def request(self, command: RequestEvaluation) -> Receipt:
        program = self.programs.get(command.program_id)
        version = resolve_version(program, command.program_version, Action.EVALUATE)
        self.extensions.require_metric(command.metric)
        dataset = self.datasets.get(command.dataset_id)
        signature = program.version_state(version).graph.signature
        wish = EvaluationRequested(
            program_id=program.id,
            program_version=version,
            dataset_id=dataset.id,
            split=command.split,
            dataset_rows=fitting_rows(dataset, command.split, signature),
            dataset_version=dataset.version,
            metric=command.metric,
        )
        at = self.clock.now()
        return self.evaluations.save(Evaluation.request(command.evaluation_id, wish, at=at))

    @handles(CancelEvaluation, Permission.COMPILE)
    def cancel(self, command: CancelEvaluation) -> Receipt:
        def decide(evaluation: Evaluation) -> None:
            evaluation.expect(command.expected_version)
            evaluation.cancel(command.reason, at=self.clock.now())

        return insist(self.evaluations, command.evaluation_id, decide)

    @handles(RunEvaluation, Permission.WORK)
    def run(self, command: RunEvaluation) -> Receipt:
        work = _EvaluationWork(self, Stopwatch.started(self.monotonic))
        return carry_out(self.evaluations, command.evaluation_id, work)


@dataclass(frozen=True, slots=True)
class _EvaluationWork:
    ports: EvaluationHandlers
    stopwatch: Stopwatch

    def start(self, run: Evaluation) -> None:
        run.start(self.ports.worker, at=self.ports.clock.now())

    def journal(self, run: Evaluation) -> RunJournal[Evaluation]:
        ports = self.ports
        return RunJournal(run, ports.evaluations, ports.payloads, ports.clock, ports.prices)

    def perform(self, run: Evaluation, journal: RunJournal[Evaluation]) -> Decision[Evaluation]:
        ports, wish = self.ports, run.wish
        pinned = pinned_rows(
            ports.datasets,
            ports.payloads,
            wish.dataset_id,
            wish.split,
            version=wish.dataset_version,
            count=wish.dataset_rows,
        )
        if Cache.ANSWERS in caches_of(ports.programs.get(wish.program_id).config):
            journal.share(ports.caches.answers, wish.program_id)
        program = ports.supplies.runnable(wish.program_id, wish.program_version)
        rows = scored(
            ports.engine,
            replace(program, reading=ports.reading),
            pinned,
            wish.metric,
            journal,
            ports.extensions,
        )
        return self._ending(rows)

    def fail(self, run: Evaluation, failure: Failure) -> None:
        run.fail(failure, at=self.ports.clock.now())

    def _ending(self, ended: Sequence[ScoredRow]) -> Decision[Evaluation]:
        rows = Payload.of([_told(row) for row in ended])
        took_ms, at = self.stopwatch.elapsed_ms, self.ports.clock.now()
        return Decision(
            lambda held: held.complete(
                rows.ref,
                score=fsum(row.score for row in ended) / len(ended),
                rows_total=len(ended),
                rows_failed=sum(row.failure is not None for row in ended),
                duration_ms=took_ms,
                at=at,
            ),
            [rows],
        )


def _told(row: ScoredRow) -> JsonValue:
    failure = None if row.failure is None else scrubbed(row.failure)
    return {
        "row": dict(row.row),
        "outputs": None if row.outputs is None else dict(row.outputs),
        "score": row.score,
        "failure": None if failure is None else failure.model_dump(mode="json"),
    }
