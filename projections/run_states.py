"""What an execution, optimization or evaluation was after each of its events, as its row has it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from domain.evaluation.events import (
    EvaluationCancelled,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationLmCalled,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationToolCalled,
)
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.execution.values import ReplayStatus
from domain.kernel import Recorded
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationCancelled,
    OptimizationCompleted,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRejected,
    OptimizationRequested,
    OptimizationStarted,
    OptimizationToolCalled,
    TrialScored,
)
from domain.optimization.values import Adoption, ProposalStatus
from domain.run import RunStatus
from domain.values import LmCall
from projections.evaluations import EvaluationRow
from projections.executions import ExecutionRow, ReplayRow
from projections.optimization_board import OptimizationRow
from projections.runs import RunRow, Spend

Values = Mapping[str, Any]
Requested = ExecutionRequested | OptimizationRequested | EvaluationRequested

_REPLAYS_SHOWN: Final = 50
_NOTHING_SPENT: Final = Spend(
    calls=0,
    prompt_tokens=0,
    completion_tokens=0,
    cached_tokens=0,
    reasoning_tokens=0,
    total_tokens=0,
    cost_usd=Decimal(0),
)


def execution(before: ExecutionRow | None, recorded: Recorded) -> ExecutionRow:
    """The execution after *recorded*; ``None`` is before its first event."""
    if isinstance(event := recorded.event, ExecutionRequested):
        return ExecutionRow(
            execution_id=recorded.originator_id,
            inputs=event.inputs,
            outputs=None,
            filled_by=None,
            deadline=event.deadline,
            varies=event.varies,
            warnings=0,
            replays=(),
            **_requested(recorded, event),
        )
    assert before is not None
    changes: Values = _replayed(before, recorded) or _run(before, recorded)
    if isinstance(event, ExecutionWarned):
        changes = {"warnings": before.warnings + 1}
    if isinstance(event, ExecutionCompleted):
        changes = {**changes, "outputs": event.outputs, "filled_by": event.filled_by}
    return before.model_copy(update={**changes, **_touched(recorded)})


def optimization(before: OptimizationRow | None, recorded: Recorded) -> OptimizationRow:
    """The optimization after *recorded*; that it was adopted is an event of the program."""
    changes: Values = {}
    match recorded.event:
        case OptimizationRequested() as asked:
            return _new_optimization(recorded, asked)
        case OptimizationStarted(pins=pins):
            changes = {"pins": pins}
        case TrialScored(trial=trial, score=score):
            assert before is not None
            changes = _scored(before, trial, score)
        case OptimizationCompleted() as completed:
            assert before is not None
            changes = _found(before, completed)
        case OptimizationApproved(reason=reason):
            changes = _decided(recorded, ProposalStatus.APPROVED, reason)
        case OptimizationRejected(reason=reason):
            changes = _decided(recorded, ProposalStatus.REJECTED, reason)
        case _:
            pass
    assert before is not None
    changes = {**changes, **_run(before, recorded), **_touched(recorded)}
    return before.model_copy(update=changes)


def evaluation(before: EvaluationRow | None, recorded: Recorded) -> EvaluationRow:
    """The evaluation after *recorded*; ``None`` is before its first event."""
    changes: Values = {}
    match recorded.event:
        case EvaluationRequested() as asked:
            return EvaluationRow(
                evaluation_id=recorded.originator_id,
                dataset_id=asked.dataset_id,
                split=asked.split,
                dataset_rows=asked.dataset_rows,
                dataset_version=asked.dataset_version,
                metric=asked.metric,
                score=None,
                rows_failed=None,
                rows=None,
                **_requested(recorded, asked),
            )
        case EvaluationCompleted(score=score, rows=rows, rows_failed=failed):
            changes = {"score": score, "rows": rows, "rows_failed": failed}
        case _:
            pass
    assert before is not None
    changes = {**changes, **_run(before, recorded), **_touched(recorded)}
    return before.model_copy(update=changes)


def _run(before: RunRow, recorded: Recorded) -> Values:
    """What an event changes of any run."""
    event, at = recorded.event, recorded.timestamp
    match event:
        case (
            ExecutionStarted(attempt=attempt, worker=worker)
            | OptimizationStarted(attempt=attempt, worker=worker)
            | EvaluationStarted(attempt=attempt, worker=worker)
        ):
            begun = {"started_at": before.started_at or at, "status": RunStatus.RUNNING}
            return {**begun, "attempts": attempt, "worker": worker}
        case (
            ExecutionLmCalled(call=call)
            | OptimizationLmCalled(call=call)
            | EvaluationLmCalled(call=call)
        ):
            return {"spend": _plus(before.spend, call)}
        case ExecutionToolCalled() | OptimizationToolCalled() | EvaluationToolCalled():
            return {"tool_calls": before.tool_calls + 1}
        case ExecutionCompleted() | OptimizationCompleted() | EvaluationCompleted():
            ended = {"status": RunStatus.COMPLETED, "finished_at": at}
            return {**ended, "duration_ms": event.duration_ms}
        case ExecutionFailed() | OptimizationFailed() | EvaluationFailed():
            duration_ms = event.duration_ms if isinstance(event, ExecutionFailed) else None
            ended = {"status": RunStatus.FAILED, "finished_at": at, "duration_ms": duration_ms}
            return {**ended, "failure": event.failure}
        case ExecutionCancelled() | OptimizationCancelled() | EvaluationCancelled():
            ended = {"status": RunStatus.CANCELLED, "finished_at": at}
            return {**ended, "cancelled_because": event.reason}
        case _:
            return {}


def _replayed(before: ExecutionRow, recorded: Recorded) -> Values:
    event, at = recorded.event, recorded.timestamp
    match event:
        case ReplayRequested(replay=replay):
            asked = ReplayRow(
                replay=replay,
                status=ReplayStatus.PENDING,
                requested_at=at,
                requested_by=recorded.envelope.actor,
                finished_at=None,
                duration_ms=None,
                answered_from_log=None,
                failure=None,
                outputs=None,
            )
            return {"replays": (asked, *before.replays)[:_REPLAYS_SHOWN]}
        case ReplayVerified() | ReplayDiverged():
            diverged = event if isinstance(event, ReplayDiverged) else None
            verdict = {
                "status": ReplayStatus.DIVERGED if diverged else ReplayStatus.VERIFIED,
                "finished_at": at,
                "duration_ms": event.duration_ms,
                "answered_from_log": event.answered_from_log,
                "failure": diverged and diverged.failure,
                "outputs": diverged and diverged.outputs,
            }
            replays = (
                each.model_copy(update=verdict) if each.replay == event.replay else each
                for each in before.replays
            )
            return {"replays": tuple(replays)}
        case _:
            return {}


def _scored(before: OptimizationRow, trial: int, score: float) -> Values:
    is_best = before.best_score is None or score > before.best_score
    best = {"best_score": score, "best_trial": trial} if is_best else {}
    return {"trials": before.trials + 1, **best}


def _found(before: OptimizationRow, completed: OptimizationCompleted) -> Values:
    waits = before.adopt is Adoption.APPROVAL
    return {
        "state": completed.state,
        "training_score": completed.training_score,
        "heldout": completed.heldout,
        "proposal": ProposalStatus.OPEN if waits else None,
    }


def _decided(recorded: Recorded, decision: ProposalStatus, reason: str) -> Values:
    by = recorded.envelope.actor
    return {"proposal": decision, "decided_because": reason, "decided_by": by}


def _new_optimization(recorded: Recorded, asked: OptimizationRequested) -> OptimizationRow:
    return OptimizationRow(
        optimization_id=recorded.originator_id,
        optimizer=asked.optimizer,
        config=asked.config,
        dataset_id=asked.dataset_id,
        dataset_rows=asked.dataset_rows,
        dataset_version=asked.dataset_version,
        metric=asked.metric,
        seed=asked.seed,
        pins=None,
        trials=0,
        best_score=None,
        best_trial=None,
        training_score=None,
        state=None,
        adopt=asked.adopt,
        heldout=None,
        proposal=None,
        decided_because=None,
        decided_by=None,
        adopted_version=None,
        adopted_at=None,
        **_requested(recorded, asked),
    )


def _requested(recorded: Recorded, asked: Requested) -> Values:
    return {
        "version": recorded.originator_version,
        "position": recorded.position,
        "program_id": asked.program_id,
        "program_version": asked.program_version,
        "status": RunStatus.PENDING,
        "actor": recorded.envelope.actor,
        "correlation_id": recorded.envelope.correlation_id,
        "requested_at": recorded.timestamp,
        "updated_at": recorded.timestamp,
        "started_at": None,
        "finished_at": None,
        "duration_ms": None,
        "attempts": 0,
        "worker": None,
        "tool_calls": 0,
        "spend": _NOTHING_SPENT,
        "failure": None,
        "cancelled_because": None,
    }


def _touched(recorded: Recorded) -> Values:
    return {"version": recorded.originator_version, "updated_at": recorded.timestamp}


def _plus(spend: Spend, call: LmCall) -> Spend:
    """One call more; an unknown part makes its sum unknown."""
    added: dict[str, Any] = {**call.usage.model_dump(), "cost_usd": call.cost_usd, "calls": 1}
    sums = {
        name: None if None in (value, added[name]) else value + added[name] for name, value in spend
    }
    return spend.model_copy(update=sums)
