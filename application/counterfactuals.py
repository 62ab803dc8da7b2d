"""Running recorded executions another way: estimated first, and begun once somebody saw that.

The rows are those of a batch. An answer comes from the record where a call is the same, and from
the model where it is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import JsonValue, PositiveInt

from application.attempts import RunInterrupted, insist
from application.authorization import Permission
from application.batches import ROWS_A_CHUNK, chunked
from application.commands import Command, handles
from application.context import current
from application.journal import ReplayJournal
from application.lm_ports import (
    Engine,
    ModelChoice,
    ProgramFailed,
    RunnableProgram,
    RunStopped,
)
from application.models import WORKERS_MODEL, Models, billed_as
from application.past_runs import NoPastRuns, PastRun, PastRuns, Which
from application.payloads import Payload
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.pricing import NO_PRICES, PriceBook
from application.runnable import json_object, resolve_version
from application.scrubbing import scrubbed_text
from application.supplies import Supplies
from application.varying import PastCall, reusable, told_by
from domain.batch.aggregate import Batch
from domain.batch.errors import RecordedInputsDoNotFit
from domain.batch.events import BatchRequested
from domain.batch.values import USUAL_AT_ONCE, BatchStatus, Concurrency, Estimate
from domain.dataset.shape import MAX_FAULTS
from domain.errors import Fault, NotFoundError
from domain.execution.aggregate import Execution
from domain.price.values import counting_of
from domain.program.aggregate import Program
from domain.program.deadline import DeadlineS
from domain.program.values import Action
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import SignatureSpec
from domain.signature.validation import validate_inputs
from domain.text import JsonObject
from domain.values import AS_DSPY, Digest, LmCall, ModelRef, Reading

FREE: Final = ("local/", "scripted/")
"""How the names of models begin that nobody bills."""


class RequestCounterfactual(Command):
    """Have a version run on what recorded executions took; without one the deployed, or the latest.

    Each has the model of the one that it varies, unless ``model`` names another one.
    """

    batch_id: UUID
    which: Which
    program_version: PositiveInt | None = None
    model: ModelRef | None = None
    concurrency: Concurrency = USUAL_AT_ONCE
    deadline_s: DeadlineS | None = None


class EstimateCounterfactual(Command):
    """Find out what it would take, without asking any model."""

    batch_id: UUID


@dataclass(frozen=True, slots=True)
class CounterfactualHandlers:
    """Answers on record are read by ``reading``, as those of the runs will be."""

    batches: Repository[Batch]
    programs: Repository[Program]
    executions: Repository[Execution]
    past: PastRuns
    payloads: PayloadStore
    supplies: Supplies
    engine: Engine
    clock: Clock
    reading: Reading = AS_DSPY
    prices: PriceBook = NO_PRICES
    models: Models = WORKERS_MODEL

    @handles(RequestCounterfactual, Permission.EXECUTE)
    def request(self, command: RequestCounterfactual) -> Receipt:
        program = self.programs.get(command.which.program_id)
        version = resolve_version(program, command.program_version, Action.EXECUTE)
        rows = self._rows(command.which)
        _require_fitting(rows, program.version_state(version).graph.signature, version)
        chunks = chunked([inputs for _, inputs in rows])
        varies = Payload.of([str(run.execution_id) for run, _ in rows])
        wish = BatchRequested(
            program_id=program.id,
            program_version=version,
            chunks=tuple(chunk.ref for chunk in chunks),
            rows_a_chunk=ROWS_A_CHUNK,
            count=len(rows),
            concurrency=command.concurrency,
            deadline_s=command.deadline_s,
            requested_by=current().actor,
            model=command.model and self.models.resolved(command.model, {}),
            varies=varies.ref,
        )
        batch = Batch.request(command.batch_id, wish, at=self.clock.now())
        return self.batches.save(batch, payloads=[*chunks, varies])

    @handles(EstimateCounterfactual, Permission.WORK)
    def estimate(self, command: EstimateCounterfactual) -> Receipt:
        batch = self.batches.get(command.batch_id)
        if batch.status is not BatchStatus.ESTIMATING:  # a job may come twice
            return Receipt(batch.id, batch.version, 0)
        try:
            found = _sum([self._forecast(batch, each) for each in self._varied(batch)])
        except (NotFoundError, ProgramFailed) as error:  # it was erased, or cannot be asked
            reason = scrubbed_text(str(error))
            return insist(self.batches, batch.id, lambda it: it.cancel(reason, at=self.clock.now()))
        return insist(self.batches, batch.id, lambda it: it.estimate(found, at=self.clock.now()))

    def _rows(self, which: Which) -> Sequence[tuple[PastRun, JsonObject]]:
        """The executions that *which* is about, with what they took; less what was erased.

        Raises:
            NoPastRuns: There are none.
        """
        runs = self.past.completed(which)
        texts = self.payloads.several([run.inputs for run in runs])
        there = [run for run in runs if run.inputs.digest in texts]
        if not there:
            raise NoPastRuns
        return [(run, dict(json_object(texts[run.inputs.digest]))) for run in there]

    def _varied(self, batch: Batch) -> Iterator[Execution]:
        assert batch.wish.varies is not None
        ids = self.payloads.get(batch.wish.varies)
        assert isinstance(ids, list)
        return (self.executions.get(UUID(str(each))) for each in ids)

    def _forecast(self, batch: Batch, varied: Execution) -> "_Forecast":
        """What it takes to run *varied* as *batch* wishes: it is run until the record ends."""
        model = batch.wish.model or varied.model
        choice = self.models.chosen(model, live=False)
        source = told_by(self.executions, varied)
        journal = _Record(source, {it.call.key: it for it in reusable(source, model=model)}, self)
        supplied = self.supplies.runnable(batch.wish.program_id, batch.wish.program_version)
        program = replace(supplied, reading=self.reading, model=choice)
        if not self._leaves(program, varied, journal):
            return _Forecast(len(journal.asked), ())
        left = [call for call in _answered(source) if call.key not in journal.asked]
        other = None if source.model == model else choice
        costs = [self._cost(call, other) for call in left]
        return _Forecast(len(journal.asked), costs or [None])  # one more than there were

    def _leaves(self, program: RunnableProgram, varied: Execution, journal: "_Record") -> bool:
        """Whether *program* makes a call that is not on record.

        Raises:
            RunInterrupted: That cannot be found out now.
        """
        inputs = json_object(self.payloads.get(varied.inputs))
        try:
            self.engine.execute(program, inputs, journal, live=False)
        except ProgramFailed:
            return False
        except RunStopped as stop:
            if stop.failure.retryable:
                raise RunInterrupted("batch", varied.id, stop.failure) from stop
            return True
        return False

    def _cost(self, call: LmCall, other: ModelChoice | None) -> Decimal | None:
        """What a call like *call* costs now, of the *other* model if there is one."""
        if call.filled_by is not None:  # nobody counted its tokens
            return None
        model = call.model if other is None else billed_as(other)
        rates = self.prices.rates(model, self.clock.now())
        if rates is not None:
            return rates.cost_of(call.usage, counting_of(model))
        if other is not None:
            return Decimal(0) if model.startswith(FREE) else None
        return call.cost_usd


class _Forecast(NamedTuple):
    """How many calls the record answers, and what each of the others costs, if that is known."""

    reused: int
    paid: Sequence[Decimal | None]


class _Record(ReplayJournal):
    """What *source* has on record for a run that varies it."""

    def __init__(
        self, source: Execution, past: Mapping[Digest, PastCall], ports: CounterfactualHandlers
    ) -> None:
        super().__init__(source, ports.payloads)
        self._refs = {key: each.answer for key, each in past.items()}
        self._refusals = {}
        self.asked: set[Digest] = set()

    def find(self, key: Digest) -> Mapping[str, JsonValue] | None:
        """What it has for *key*; ``asked`` are all that it had something for."""
        if (found := super().find(key)) is not None:
            self.asked.add(key)
        return found


def _answered(source: Execution) -> Sequence[LmCall]:
    return [it for it in source.calls if isinstance(it, LmCall) and it.response is not None]


def _sum(forecasts: Sequence[_Forecast]) -> Estimate:
    paid = [cost for each in forecasts for cost in each.paid]
    known = [cost for cost in paid if cost is not None]
    return Estimate(
        executions=len(forecasts),
        unchanged=sum(not each.paid for each in forecasts),
        reused=sum(each.reused for each in forecasts),
        paid=len(paid),
        unpriced=len(paid) - len(known),
        cost_usd=sum(known, Decimal(0)) if known or not paid else None,
    )


def _require_fitting(
    rows: Sequence[tuple[PastRun, JsonObject]], spec: SignatureSpec, version: int
) -> None:
    """Refuse *rows* that the *version* with *spec* does not take.

    Raises:
        RecordedInputsDoNotFit: It names the first hundred faults.
    """
    if faults := list(islice(_misfits(rows, spec), MAX_FAULTS)):
        raise RecordedInputsDoNotFit(version, faults)


def _misfits(
    rows: Sequence[tuple[PastRun, Mapping[str, JsonValue]]], spec: SignatureSpec
) -> Iterator[Fault]:
    for run, inputs in rows:
        try:
            validate_inputs(spec, inputs)
        except ValuesDoNotFit as error:
            for each in error.faults:
                message = f"Execution {run.execution_id}: {each.message}"
                yield Fault("/program_version", each.code, message)
