"""Batches from the wish to the end: a few rows at a time, each once, whatever comes between."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from json import dumps
from uuid import UUID, uuid4

import pytest

from application.batches import (
    BatchHandlers,
    CancelBatch,
    CarryBatchOn,
    FollowBatchRow,
    RequestBatch,
    ResumeBatch,
    RunBatchRow,
)
from application.budgets import GrantCredit, OpenBudget
from application.commands import Command
from application.context import within
from application.errors import AggregateNotFound, ConcurrentWrite, StoreIsUnavailable
from application.executions import CancelExecution, RequestExecution, RunExecution
from application.lm_ports import ProgramFailed
from application.policies import reactions
from application.ports import Receipt
from domain.batch.aggregate import Batch
from domain.batch.errors import BatchIsTooLarge, BatchRowsAreMalformed
from domain.batch.events import BatchPaused, BatchRequested
from domain.batch.values import BatchStatus
from domain.errors import StaleVersion
from domain.execution.aggregate import Execution
from domain.execution.values import Caller
from domain.program.errors import ActionIsNotAllowed
from domain.run import RunStatus
from domain.values import Failure
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, MortalRepository, World


class Line(World):
    """A world with batches, whose jobs are carried out one after the other."""

    def __init__(self) -> None:
        self._done = 0
        super().__init__()

    def beside(self, request: Callable[[RequestExecution], Receipt]) -> Sequence[object]:
        self.batches = MortalRepository(Batch, self.log)
        self.handlers = BatchHandlers(
            self.batches,
            *(self.programs, self.executions, self.payloads, request, self.run, self.clock),
        )
        return (self.handlers,)

    def run(self, command: RunExecution) -> Receipt:
        return self.bus.commands[RunExecution].carry_out(command)

    def a_batch(self, count: int = 5, *, concurrency: int = 2, fail_fast: bool = False) -> UUID:
        lines = "".join(dumps({"message": f"Row {n}."}) + "\n" for n in range(1, count + 1))
        wish = RequestBatch(
            batch_id=uuid4(),
            program_id=self.a_program(),
            rows=lines,
            concurrency=concurrency,
            fail_fast=fail_fast,
        )
        return self.do(wish).id

    def jobs(self) -> list[Command]:
        """What follows from the facts since the last look."""
        new = self.log.recorded[self._done :]
        self._done = len(self.log.recorded)
        return [command for recorded in new for command in reactions(recorded)]

    def work(self) -> None:
        """Carry out all that follows, until nothing does."""
        while jobs := self.jobs():
            for command in jobs:
                self.do(command)

    def batch(self, id: UUID) -> Batch:
        with within(CONTEXT):
            return self.batches.get(id)

    def run_of(self, id: UUID, row: int) -> Execution | None:
        with within(CONTEXT):
            try:
                return self.executions.get(self.batch(id).run_of(row))
            except AggregateNotFound:
                return None

    def statuses(self, id: UUID) -> list[RunStatus | None]:
        runs = [self.run_of(id, row) for row in range(1, self.batch(id).wish.count + 1)]
        return [run and run.status for run in runs]


@pytest.fixture
def line() -> Line:
    return Line()


def malformed(line: Line, rows: str) -> list[tuple[str, str, str]]:
    wish = RequestBatch(batch_id=uuid4(), program_id=line.a_program(), rows=rows)
    before = len(line.log.recorded)
    with pytest.raises(BatchRowsAreMalformed) as refusal:
        line.do(wish)
    assert len(line.log.recorded) == before
    return [(each.pointer, each.code, each.message) for each in refusal.value.faults]


def test_every_row_runs_once_in_its_own_execution_and_then_the_batch_is_complete(
    line: Line,
) -> None:
    batch_id = line.a_batch()
    asked = line.events(batch_id)[0]
    assert isinstance(asked, BatchRequested)
    assert (asked.count, asked.concurrency, asked.requested_by) == (5, 2, CONTEXT.actor)
    line.work()
    assert line.statuses(batch_id) == [RunStatus.COMPLETED] * 5
    assert line.batch(batch_id).status is BatchStatus.COMPLETED
    assert len(line.events(batch_id)) == 2
    for row in range(1, 6):
        run = line.run_of(batch_id, row)
        assert run is not None
        assert run.caller == Caller(kind="batch", id=batch_id, place=row)
        assert line.stored({"message": f"Row {row}.", "hint": None})


def test_no_more_rows_are_asked_for_than_may_run_at_once(line: Line) -> None:
    batch_id = line.a_batch(5, concurrency=2)
    (carry_on,) = line.jobs()
    line.do(carry_on)
    assert line.statuses(batch_id) == [RunStatus.PENDING] * 2 + [None] * 3
    first, _second = line.jobs()
    assert isinstance(first, RunBatchRow)
    line.do(first)
    (follow,) = line.jobs()
    assert follow == FollowBatchRow(batch_id=batch_id, row=1)
    line.do(follow)
    assert [status is not None for status in line.statuses(batch_id)] == [True] * 3 + [False] * 2


def test_work_that_is_delivered_again_or_swept_does_nothing_twice(line: Line) -> None:
    batch_id = line.a_batch(4)
    for _ in range(9):
        for command in line.jobs():
            line.do(command)
            line.do(command)
        line.do(CarryBatchOn(batch_id=batch_id))
    assert line.statuses(batch_id) == [RunStatus.COMPLETED] * 4
    assert line.batch(batch_id).status is BatchStatus.COMPLETED
    starts = [each for each in line.log.recorded if each.event.TOPIC == "execution.started"]
    assert len(starts) == 4


def test_where_every_job_is_lost_the_sweep_alone_carries_it_on(line: Line) -> None:
    batch_id = line.a_batch(5, concurrency=2)
    for _ in range(6):
        line.do(CarryBatchOn(batch_id=batch_id))
        runs = [line.run_of(batch_id, row) for row in range(1, 6)]
        for run in runs:
            if run is not None and not run.status.is_terminal:
                line.do(RunBatchRow(execution_id=run.id))
    line.do(CarryBatchOn(batch_id=batch_id))
    assert line.batch(batch_id).status is BatchStatus.COMPLETED
    assert line.statuses(batch_id) == [RunStatus.COMPLETED] * 5


def failing(line: Line, *rows: int) -> UUID:
    """A batch of five, two at once, that is to end with the first failure; *rows* have failed."""
    batch_id = line.a_batch(fail_fast=True)
    line.do(CarryBatchOn(batch_id=batch_id))
    line.runner.error = ProgramFailed(Failure(code="model.failed", message="No."))
    for row in rows:
        execution_id = line.batch(batch_id).run_of(row)
        line.do(RunBatchRow(execution_id=execution_id))
    line.runner.error = None
    return batch_id


@pytest.mark.feature("LMP-08")
def test_lmp_08_with_the_first_failure_no_more_rows_begin(line: Line) -> None:
    batch_id = failing(line, 2)
    line.do(FollowBatchRow(batch_id=batch_id, row=2))
    batch = line.batch(batch_id)
    assert (batch.status, batch.cancelled_because) == (BatchStatus.CANCELLED, "Row 2 failed.")
    line.do(FollowBatchRow(batch_id=batch_id, row=2))
    assert [line.run_of(batch_id, row) is None for row in (3, 4, 5)] == [True] * 3


@pytest.mark.feature("LMP-08")
def test_lmp_08_the_sweep_finds_the_failure_that_nobody_told_of(line: Line) -> None:
    batch_id = failing(line, 1, 2)
    line.do(CarryBatchOn(batch_id=batch_id))
    assert line.batch(batch_id).cancelled_because == "Row 1 failed."
    line.do(CarryBatchOn(batch_id=batch_id))
    assert line.batch(batch_id).status is BatchStatus.CANCELLED


@pytest.mark.feature("LMP-08")
def test_lmp_08_two_failures_at_once_end_it_once(line: Line) -> None:
    batch_id = failing(line, 1, 2)

    def other_first(_: Batch) -> None:
        line.batches.before_save = None
        line.do(FollowBatchRow(batch_id=batch_id, row=1))

    line.batches.before_save = other_first
    line.do(FollowBatchRow(batch_id=batch_id, row=2))
    assert line.batch(batch_id).cancelled_because == "Row 1 failed."


@pytest.mark.feature("LMP-08")
def test_lmp_08_as_long_as_none_fails_it_goes_on(line: Line) -> None:
    batch_id = line.a_batch(fail_fast=True)
    line.work()
    assert line.batch(batch_id).status is BatchStatus.COMPLETED


def test_rows_have_their_chunks_and_their_deadlines(line: Line) -> None:
    lines = "\n".join(dumps({"message": f"Row {n}."}) for n in range(1, 103))
    wish = RequestBatch(
        batch_id=uuid4(), program_id=line.a_program(), rows=lines, concurrency=64, deadline_s=9
    )
    line.do(wish)
    line.work()
    last = line.run_of(wish.batch_id, 102)
    assert len(line.batch(wish.batch_id).wish.chunks) == 2
    assert last is not None
    assert last.left_s(NOW) == 9
    assert line.stored({"message": "Row 102.", "hint": None})


def test_a_row_that_is_cancelled_leaves_the_others_alone(line: Line) -> None:
    batch_id = line.a_batch(3, concurrency=1)
    line.do(line.jobs()[0])
    first = line.run_of(batch_id, 1)
    assert first is not None
    line.do(CancelExecution(execution_id=first.id))
    line.work()
    assert line.statuses(batch_id) == [RunStatus.CANCELLED, *[RunStatus.COMPLETED] * 2]
    assert line.batch(batch_id).status is BatchStatus.COMPLETED


def test_a_spent_budget_pauses_it_and_what_is_left_runs_once_there_is_more(line: Line) -> None:
    budget = line.do(OpenBudget(budget_id=uuid4(), hold_usd=Decimal(1), alert_below_usd=None)).id
    line.do(GrantCredit(budget_id=budget, usd=Decimal(1)))
    batch_id = line.a_batch(3, concurrency=2)
    line.work()
    paused = line.events(batch_id)[-1]
    assert isinstance(paused, BatchPaused)
    assert paused.failure.code == "budget.spent"
    assert line.batch(batch_id).status is BatchStatus.PAUSED
    line.do(GrantCredit(budget_id=budget, usd=Decimal(9)))
    line.do(ResumeBatch(batch_id=batch_id))
    line.work()
    assert line.statuses(batch_id) == [RunStatus.COMPLETED] * 3
    assert line.batch(batch_id).status is BatchStatus.COMPLETED


def test_rows_run_on_behalf_of_who_wanted_the_batch(line: Line) -> None:
    batch_id = line.a_batch(1)
    swept = CONTEXT.__class__(
        tenant=CONTEXT.tenant, actor="sweep", correlation_id=uuid4(), roles=CONTEXT.roles
    )
    line.do(CarryBatchOn(batch_id=batch_id), swept)
    run = line.run_of(batch_id, 1)
    assert run is not None
    (asked,) = line.log.stream(run.id)
    assert asked.envelope.actor == CONTEXT.actor


def test_once_cancelled_no_row_begins_and_those_under_way_end(line: Line) -> None:
    batch_id = line.a_batch(6, concurrency=3)
    line.do(line.jobs()[0])
    first, second, third = line.jobs()
    line.do(first)
    line.do(CancelBatch(batch_id=batch_id, reason="Wrong file."))
    line.do(second)
    line.do(third)
    line.do(third)
    line.work()
    line.do(CarryBatchOn(batch_id=batch_id))
    assert line.statuses(batch_id) == [
        *(RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.CANCELLED),
        *(None, None, None),
    ]
    assert line.batch(batch_id).status is BatchStatus.CANCELLED


def test_a_row_that_began_before_the_cancellation_goes_on(line: Line) -> None:
    batch_id = line.a_batch(1)
    line.do(line.jobs()[0])
    (run,) = line.jobs()
    line.do(CancelBatch(batch_id=batch_id))
    execution = line.run_of(batch_id, 1)
    assert execution is not None
    with within(CONTEXT):
        held = line.executions.get(execution.id)
        held.start("worker-0", at=NOW)
        line.executions.save(held)
        line.handlers._call_off(execution.id, "Too late.")
    line.do(run)
    assert line.statuses(batch_id) == [RunStatus.COMPLETED]


def test_decisions_on_an_older_state_are_refused(line: Line) -> None:
    batch_id = line.a_batch()
    for command in (
        CancelBatch(batch_id=batch_id, expected_version=9),
        ResumeBatch(batch_id=batch_id, expected_version=9),
    ):
        with pytest.raises(StaleVersion):
            line.do(command)


@pytest.mark.parametrize("obstacle", [StoreIsUnavailable("it is away", "Wait."), ConcurrentWrite])
def test_what_is_tried_again_does_not_pause_it(
    line: Line, obstacle: Exception | type[ConcurrentWrite]
) -> None:
    batch_id = line.a_batch()
    error = obstacle("execution", batch_id) if isinstance(obstacle, type) else obstacle

    def refuse(_: RequestExecution) -> Receipt:
        raise error

    broken = BatchHandlers(
        line.batches, line.programs, line.executions, line.payloads, refuse, line.run, line.clock
    )
    with within(CONTEXT), pytest.raises(type(error)):
        broken.carry_on(CarryBatchOn(batch_id=batch_id))
    assert line.batch(batch_id).status is BatchStatus.RUNNING


def test_every_bad_line_is_named_at_once_and_nothing_is_stored(line: Line) -> None:
    rows = '{"message": "Good."}\n\n{"massage": "x"}\nno json\n[1]\n{"message": 3, "hint": []}\n'
    found = malformed(line, rows)
    assert [(pointer, code) for pointer, code, _ in found] == [
        ("/1/message", "value.missing"),
        ("/1/massage", "value.unknown"),
        ("/2", "json.syntax"),
        ("/3", "json.not_an_object"),
        ("/4/message", "value.invalid"),
        ("/4/hint", "value.invalid"),
    ]
    assert [message.partition(":")[0] for *_, message in found] == [
        *["Line 3"] * 2,
        *("Line 4", "Line 5"),
        *["Line 6"] * 2,
    ]


def test_a_hundred_faults_are_named_and_no_rows_are_a_fault(line: Line) -> None:
    assert len(malformed(line, "{}\n" * 150)) == 100
    assert malformed(line, "\n  \n") == [("", "batch.rows_missing", "Send at least one row.")]


def test_too_many_rows_and_a_retired_program_are_refused(line: Line) -> None:
    rows, program = '{"message": "x"}\n', line.a_program()
    with pytest.raises(BatchIsTooLarge):
        line.do(RequestBatch(batch_id=uuid4(), program_id=program, rows=rows * 10_001))
    line.change_program(program, lambda it: it.retire("old", at=NOW))
    with pytest.raises(ActionIsNotAllowed):
        line.do(RequestBatch(batch_id=uuid4(), program_id=program, rows=rows))
