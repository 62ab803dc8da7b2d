"""Running a program on many rows: accepted as a whole, carried out a few rows at a time."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from pydantic import PositiveInt

from application.attempts import insist
from application.authorization import Permission
from application.commands import Command, handles
from application.context import current, within
from application.errors import AggregateNotFound, ConcurrentWrite, StoreIsUnavailable
from application.executions import RequestExecution, RunExecution
from application.payloads import Payload
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.reasons import NO_REASON
from application.rows import object_lines
from application.runnable import json_object, resolve_version
from application.scrubbing import scrubbed_text
from domain.batch.aggregate import Batch
from domain.batch.errors import BatchIsTooLarge, BatchRowsAreMalformed
from domain.batch.events import BatchRequested
from domain.batch.values import MAX_ROWS, USUAL_AT_ONCE, BatchStatus, Concurrency, RowNumber
from domain.dataset.shape import MAX_FAULTS
from domain.errors import DomainError, Fault
from domain.execution.aggregate import Execution
from domain.execution.values import Caller
from domain.program.aggregate import Program
from domain.program.deadline import DeadlineS
from domain.program.values import Action
from domain.run import RunStatus
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import SignatureSpec
from domain.signature.validation import validate_inputs
from domain.text import JsonObject, LongText
from domain.values import Cache, Failure, ModelRef

ROWS_A_CHUNK: Final = 100
"""How many rows one stored text holds: it is read anew for each of them."""


class RequestBatch(Command):
    """Without a version the deployed one runs, or the latest while none is deployed.

    ``rows`` is JSON lines, the inputs of one run on each. Each of them ends within ``deadline_s``
    of its own beginning, and is answered by ``model`` and from ``caches``, or else as its program
    says. With ``fail_fast`` no more begin once one has failed.
    """

    batch_id: UUID
    program_id: UUID
    program_version: PositiveInt | None = None
    rows: str
    concurrency: Concurrency = USUAL_AT_ONCE
    deadline_s: DeadlineS | None = None
    model: ModelRef | None = None
    caches: tuple[Cache, ...] | None = None
    fail_fast: bool = False


class ResumeBatch(Command):
    """Go on with a batch that was paused; one that goes on already does so."""

    batch_id: UUID
    expected_version: int | None = None


class CancelBatch(Command):
    """Begin no more rows; those under way end by themselves."""

    batch_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class CarryBatchOn(Command):
    """Ask for the row of each track whose turn it is: at first, and whenever it stands still."""

    batch_id: UUID


class FollowBatchRow(Command):
    """The row has ended: ask for the next one of its track, or see whether all have ended."""

    batch_id: UUID
    row: RowNumber


class RunBatchRow(Command):
    """Carry out the run of a row, unless its batch was cancelled before that began."""

    execution_id: UUID


@dataclass(frozen=True, slots=True)
class BatchHandlers:
    """``request`` asks for an execution as anybody else may, ``run`` carries one out."""

    batches: Repository[Batch]
    programs: Repository[Program]
    executions: Repository[Execution]
    payloads: PayloadStore
    request: Callable[[RequestExecution], Receipt]
    run: Callable[[RunExecution], Receipt]
    clock: Clock

    @handles(RequestBatch, Permission.EXECUTE)
    def request_batch(self, command: RequestBatch) -> Receipt:
        program = self.programs.get(command.program_id)
        version = resolve_version(program, command.program_version, Action.EXECUTE)
        rows = _checked(command.rows, program.version_state(version).graph.signature)
        chunks = chunked(rows)
        wish = BatchRequested(
            program_id=program.id,
            program_version=version,
            chunks=tuple(chunk.ref for chunk in chunks),
            rows_a_chunk=ROWS_A_CHUNK,
            count=len(rows),
            concurrency=command.concurrency,
            deadline_s=command.deadline_s,
            requested_by=current().actor,
            model=command.model,
            caches=command.caches,
            fail_fast=command.fail_fast,
        )
        batch = Batch.request(command.batch_id, wish, at=self.clock.now())
        return self.batches.save(batch, payloads=chunks)

    @handles(ResumeBatch, Permission.EXECUTE)
    def resume(self, command: ResumeBatch) -> Receipt:
        def decide(batch: Batch) -> None:
            batch.expect(command.expected_version)
            batch.resume(at=self.clock.now())

        return insist(self.batches, command.batch_id, decide)

    @handles(CancelBatch, Permission.EXECUTE)
    def cancel(self, command: CancelBatch) -> Receipt:
        def decide(batch: Batch) -> None:
            batch.expect(command.expected_version)
            batch.cancel(command.reason, at=self.clock.now())

        return insist(self.batches, command.batch_id, decide)

    @handles(CarryBatchOn, Permission.WORK)
    def carry_on(self, command: CarryBatchOn) -> Receipt:
        batch = self.batches.get(command.batch_id)
        if failed := [row for track in batch.tracks for row in self._failed(batch, track)]:
            return self._stop(batch, failed[0])
        return self._begin(batch, [row for rows in batch.tracks for row in self._due(batch, rows)])

    @handles(FollowBatchRow, Permission.WORK)
    def follow(self, command: FollowBatchRow) -> Receipt:
        batch = self.batches.get(command.batch_id)
        if self._has_failed(batch, command.row):
            return self._stop(batch, command.row)
        following = batch.next_after(command.row)
        return self._begin(batch, [] if following is None else [following])

    @handles(RunBatchRow, Permission.WORK)
    def run_row(self, command: RunBatchRow) -> Receipt:
        run = self.executions.get(command.execution_id)
        assert run.caller is not None
        batch = self.batches.get(run.caller.id)
        if batch.status is BatchStatus.CANCELLED and run.status is RunStatus.PENDING:
            return self._call_off(run.id, batch.cancelled_because or NO_REASON)
        return self.run(RunExecution(execution_id=run.id))

    def _begin(self, batch: Batch, rows: list[int]) -> Receipt:
        """Ask for *rows*; without any, the batch is complete once the last of each track ended."""
        if batch.status is not BatchStatus.RUNNING:
            return Receipt(batch.id, batch.version, 0)
        try:
            for row in rows:
                self._ask_for(batch, row)
        except (StoreIsUnavailable, ConcurrentWrite):
            raise
        except DomainError as refusal:
            failure = Failure(code=refusal.code, message=scrubbed_text(str(refusal)))
            return insist(self.batches, batch.id, lambda it: it.pause(failure, at=self.clock.now()))
        if rows or not all(self._has_ended(batch, track[-1]) for track in batch.tracks):
            return Receipt(batch.id, batch.version, 0)
        return insist(self.batches, batch.id, lambda it: it.complete(at=self.clock.now()))

    def _ask_for(self, batch: Batch, row: int) -> None:
        """Have *row* run on behalf of whoever wanted the batch, unless that was asked for before.

        Raises:
            DomainError: It may not run now, for example as a budget is spent.
        """
        if self._run_of(batch, row) is not None:  # a twin of this delivery was faster
            return
        chunk, index = batch.place_of(row)
        rows = self.payloads.get(chunk)
        assert isinstance(rows, list)
        wish = RequestExecution(
            execution_id=batch.run_of(row),
            program_id=batch.wish.program_id,
            program_version=batch.wish.program_version,
            inputs=dict(json_object(rows[index])),
            deadline_s=batch.wish.deadline_s,
            model=batch.wish.model,
            caches=batch.wish.caches,
            caller=Caller(kind=Batch.KIND, id=batch.id, place=row),
            varies=varied_by(batch, row, self.payloads),
        )
        with within(replace(current(), actor=batch.wish.requested_by)):
            self.request(wish)

    def _due(self, batch: Batch, track: range) -> Iterator[int]:
        """The row of a *track* that nobody asked for although the one before has ended, if any."""
        asked = bisect_left(track, True, key=lambda row: self._run_of(batch, row) is None)
        if asked < len(track) and (not asked or self._has_ended(batch, track[asked - 1])):
            yield track[asked]

    def _failed(self, batch: Batch, track: range) -> Iterator[int]:
        """The latest row of a *track* that was asked for, if no more may begin because of it."""
        asked = bisect_left(track, True, key=lambda row: self._run_of(batch, row) is None)
        if asked and self._has_failed(batch, track[asked - 1]):
            yield track[asked - 1]

    def _has_failed(self, batch: Batch, row: int) -> bool:
        """Whether no more rows may begin, as *row* failed and the batch is to end with that."""
        if not batch.wish.fail_fast or batch.status is not BatchStatus.RUNNING:
            return False
        run = self._run_of(batch, row)
        return run is not None and run.status is RunStatus.FAILED

    def _stop(self, batch: Batch, row: int) -> Receipt:
        def decide(batch: Batch) -> None:
            if not batch.status.is_terminal:  # the rows of several tracks may fail at once
                batch.cancel(f"Row {row} failed.", at=self.clock.now())

        return insist(self.batches, batch.id, decide)

    def _has_ended(self, batch: Batch, row: int) -> bool:
        run = self._run_of(batch, row)
        return run is not None and run.status.is_terminal

    def _run_of(self, batch: Batch, row: int) -> Execution | None:
        with suppress(AggregateNotFound):
            return self.executions.get(batch.run_of(row))
        return None

    def _call_off(self, id: UUID, reason: str) -> Receipt:
        def decide(run: Execution) -> None:
            if run.status is RunStatus.PENDING:
                run.cancel(reason, at=self.clock.now())

        return insist(self.executions, id, decide)


def chunked(rows: Sequence[JsonObject]) -> list[Payload]:
    """The texts that hold *rows*."""
    return [
        Payload.of(list(rows[first : first + ROWS_A_CHUNK]))
        for first in range(0, len(rows), ROWS_A_CHUNK)
    ]


def varied_by(batch: Batch, row: int, payloads: PayloadStore) -> UUID | None:
    """The recorded execution that *row* runs another way, if it does."""
    if batch.wish.varies is None:
        return None
    ids = payloads.get(batch.wish.varies)
    assert isinstance(ids, list)
    return UUID(str(ids[row - 1]))


def _checked(text: str, spec: SignatureSpec) -> list[JsonObject]:
    """The rows in *text*, each of them inputs of *spec*.

    Raises:
        BatchRowsAreMalformed: Some are not, or there is none.
        BatchIsTooLarge: There are too many.
    """
    rows: list[JsonObject] = []
    faults: list[Fault] = []
    for line, row in object_lines(text):
        if len(rows) == MAX_ROWS:
            raise BatchIsTooLarge
        if isinstance(row, Fault):
            faults.append(row)
        else:
            faults += _misfits(spec, row, line, len(rows))
        rows.append({} if isinstance(row, Fault) else row)
    if not rows:
        faults = [Fault("", "batch.rows_missing", "Send at least one row.")]
    if faults:
        raise BatchRowsAreMalformed(faults[:MAX_FAULTS])
    return rows


def _misfits(spec: SignatureSpec, row: JsonObject, line: int, index: int) -> list[Fault]:
    try:
        validate_inputs(spec, row, at=f"/{index}")
    except ValuesDoNotFit as error:
        return [replace(each, message=f"Line {line}: {each.message}") for each in error.faults]
    return []
