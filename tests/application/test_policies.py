"""What follows from a fact."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from application.batches import CarryBatchOn, FollowBatchRow, RunBatchRow
from application.budgets import WatchBudget
from application.calls import FollowCall
from application.commands import Command
from application.counterfactuals import EstimateCounterfactual
from application.evaluations import RunEvaluation
from application.executions import RunExecution
from application.optimizations import AdoptOptimization, RunOptimization
from application.policies import POLICIES, reactions
from application.replays import RunReplay
from domain.batch.events import BatchCompleted, BatchResumed
from domain.dataset.values import Split
from domain.evaluation.events import EvaluationRequested
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionCreditSettled,
    ExecutionFailed,
    ExecutionRequested,
    ReplayRequested,
)
from domain.execution.values import Caller, Charge
from domain.kernel import Envelope, Event, Recorded
from domain.optimization.events import OptimizationCompleted, OptimizationRequested
from domain.program.events import ProgramRetired
from domain.record.events import RecordCallRepeated, RecordCreated, RecordUpdated
from domain.record.values import Call
from domain.values import Failure, LmSpend
from domain.workflow_run.aggregate import WorkflowRun
from tests.support.batches import a_wish
from tests.support.runs import ref

ID = uuid4()


def following(event: Event) -> list[Command]:
    envelope = Envelope(
        event_id=uuid4(),
        tenant="acme",
        actor="ada",
        command="x",
        command_id="1",
        correlation_id=uuid4(),
    )
    return reactions(Recorded(ID, 1, event, datetime(2030, 1, 1, tzinfo=UTC), envelope))


def test_what_is_requested_is_carried_out() -> None:
    execution = ExecutionRequested(program_id=uuid4(), program_version=1, inputs=ref("in"))
    optimization = OptimizationRequested(
        program_id=uuid4(),
        program_version=1,
        optimizer="copro",
        config={},
        dataset_id=uuid4(),
        dataset_rows=1,
        metric="f1_score",
        seed=9,
    )
    evaluation = EvaluationRequested(
        program_id=uuid4(),
        program_version=1,
        dataset_id=uuid4(),
        split=Split.TRAIN,
        dataset_rows=1,
        metric="f1_score",
    )
    assert following(execution) == [RunExecution(execution_id=ID)]
    in_batch = execution.model_copy(update={"caller": Caller(kind="batch", id=uuid4(), place=1)})
    assert following(in_batch) == [RunBatchRow(execution_id=ID)]
    called = execution.model_copy(update={"caller": Caller(kind="record", id=uuid4())})
    assert following(called) == [RunExecution(execution_id=ID)]
    assert following(ReplayRequested(replay=3)) == [RunReplay(execution_id=ID, replay=3)]
    assert following(optimization) == [RunOptimization(optimization_id=ID)]
    assert following(evaluation) == [RunEvaluation(evaluation_id=ID)]


def test_what_a_workflow_asked_for_is_left_to_it() -> None:
    asked = ExecutionRequested(
        program_id=uuid4(),
        program_version=1,
        inputs=ref("in"),
        caller=Caller(kind=WorkflowRun.KIND, id=uuid4()),
    )
    assert following(asked) == []


def test_a_batch_goes_on_when_it_is_wanted_and_when_a_row_has_ended() -> None:
    assert following(a_wish()) == [CarryBatchOn(batch_id=ID)]
    varied = a_wish(varies=ref("varied"))
    assert following(varied) == [EstimateCounterfactual(batch_id=ID)]
    assert following(BatchResumed()) == [CarryBatchOn(batch_id=ID)]
    assert following(BatchCompleted()) == []
    of, spend = Caller(kind="batch", id=uuid4(), place=7), LmSpend()
    failure = Failure(code="program.failed", message="It failed.")
    for end in (
        ExecutionCompleted(outputs=ref("out"), duration_ms=1, spend=spend, caller=of),
        ExecutionFailed(failure=failure, duration_ms=1, spend=spend, caller=of),
        ExecutionCancelled(reason="Enough.", caller=of),
    ):
        assert following(end) == [FollowBatchRow(batch_id=of.id, row=7)]


def test_what_was_found_is_adopted() -> None:
    completed = OptimizationCompleted(
        state=ref("state"), training_score=1, trials=1, duration_ms=1, spend=LmSpend()
    )
    assert following(completed) == [AdoptOptimization(optimization_id=ID)]


def test_every_call_of_a_record_is_followed_when_it_is_made_and_when_its_run_ends() -> None:
    calls = tuple(
        Call(execution_id=uuid4(), binding_id=uuid4(), binding_version=1) for _ in range(2)
    )
    each = [FollowCall(record_id=ID, execution_id=call.execution_id) for call in calls]
    assert following(RecordCreated(resource="post", data=ref("it"), calls=calls)) == each
    assert following(RecordUpdated(data=ref("it"), changed=("a",), calls=calls)) == each
    repeated = RecordCallRepeated(failed=uuid4(), call=calls[0])
    assert following(repeated) == each[:1]
    record = uuid4()
    waits = Caller(kind="record", id=record)
    failure = Failure(code="program.failed", message="It failed.")
    for caller, followed in (
        (waits, [FollowCall(record_id=record, execution_id=ID)]),
        (waits.model_copy(update={"kind": "other"}), []),
        (None, []),
    ):
        spend = LmSpend()
        for end in (
            ExecutionCompleted(outputs=ref("out"), duration_ms=1, spend=spend, caller=caller),
            ExecutionFailed(failure=failure, duration_ms=1, spend=spend, caller=caller),
            ExecutionCancelled(reason="Enough.", caller=caller),
        ):
            assert following(end) == followed


def test_what_is_left_is_looked_at_after_a_run_that_cost_more_than_it_held() -> None:
    """The next one may be refused, and then nothing is set aside that would have them look."""
    charges = tuple(
        Charge(budget_id=UUID(int=usd), held_usd=Decimal(1), charged_usd=Decimal(usd))
        for usd in (0, 1, 2)
    )
    settled = ExecutionCreditSettled(charges=charges, cost_usd=None)
    assert following(settled) == [WatchBudget(budget_id=UUID(int=2))]


def test_nothing_follows_from_any_other_fact() -> None:
    assert following(ProgramRetired(reason="old")) == []
    assert len(POLICIES) == len(set(POLICIES)) == 6
