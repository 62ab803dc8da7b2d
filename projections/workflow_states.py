"""What a workflow, or a run of one, was after each of its events."""

from collections.abc import Mapping
from typing import Any

from domain.kernel import Recorded
from domain.workflow.events import WorkflowDefined, WorkflowRetired, WorkflowRevised
from domain.workflow_run.events import (
    WorkflowRunCancelled,
    WorkflowRunCompleted,
    WorkflowRunFailed,
    WorkflowRunStarted,
    WorkflowRunUndone,
    WorkflowStepFailed,
    WorkflowUndoFailed,
    WorkflowUndoRequested,
)
from domain.workflow_run.values import WorkflowRunStatus
from projections.workflow_runs import WorkflowRunRow
from projections.workflows import WorkflowRow

Values = Mapping[str, Any]


def workflow(before: WorkflowRow | None, recorded: Recorded) -> WorkflowRow:
    """The workflow after *recorded*; ``None`` is before its first event."""
    changes: Values = {}
    match recorded.event:
        case WorkflowDefined(name=name, spec=spec):
            before = WorkflowRow(
                workflow_id=recorded.originator_id,
                version=recorded.originator_version,
                position=recorded.position or 0,
                name=name,
                workflow_version=1,
                spec=spec,
                created_at=recorded.timestamp,
                created_by=recorded.envelope.actor,
                updated_at=recorded.timestamp,
                retired_at=None,
                retired_because=None,
            )
        case WorkflowRevised(new_version=new, spec=spec):
            changes = {"workflow_version": new, "spec": spec}
        case WorkflowRetired(reason=reason):
            changes = {"retired_at": recorded.timestamp, "retired_because": reason}
        case _:
            pass
    assert before is not None
    return before.model_copy(update={**changes, **_touched(recorded)})


def workflow_run(before: WorkflowRunRow | None, recorded: Recorded) -> WorkflowRunRow:
    """The run after *recorded*; ``None`` is before its first event."""
    changes: Values = {}
    match recorded.event:
        case WorkflowRunStarted() as started:
            before = _begun(started, recorded)
        case WorkflowStepFailed(failure=failure, retry_at=retry_at):
            turned = {} if retry_at else {"status": WorkflowRunStatus.UNDOING}
            changes = {"failure": failure, **turned}
        case WorkflowUndoFailed(failure=failure):
            changes = {"failure": failure}
        case WorkflowRunCancelled(reason=reason):
            changes = {"status": WorkflowRunStatus.UNDOING, "cancelled_because": reason}
        case WorkflowUndoRequested():
            changes = {"status": WorkflowRunStatus.UNDOING, "not_undone": (), "finished_at": None}
        case WorkflowRunCompleted():
            changes = _ended(WorkflowRunStatus.COMPLETED, recorded)
        case WorkflowRunUndone():
            changes = _ended(WorkflowRunStatus.UNDONE, recorded)
        case WorkflowRunFailed(not_undone=steps):
            changes = {**_ended(WorkflowRunStatus.FAILED, recorded), "not_undone": steps}
        case _:
            pass
    assert before is not None
    step = getattr(recorded.event, "step", before.step)
    return before.model_copy(update={"step": step, **changes, **_touched(recorded)})


def _begun(started: WorkflowRunStarted, recorded: Recorded) -> WorkflowRunRow:
    return WorkflowRunRow(
        workflow_run_id=recorded.originator_id,
        version=recorded.originator_version,
        position=recorded.position or 0,
        workflow_id=started.workflow_id,
        workflow_version=started.workflow_version,
        status=WorkflowRunStatus.RUNNING,
        step=None,
        failure=None,
        cancelled_because=None,
        not_undone=(),
        actor=recorded.envelope.actor,
        correlation_id=recorded.envelope.correlation_id,
        requested_at=recorded.timestamp,
        updated_at=recorded.timestamp,
        finished_at=None,
    )


def _ended(status: WorkflowRunStatus, recorded: Recorded) -> Values:
    return {"status": status, "finished_at": recorded.timestamp}


def _touched(recorded: Recorded) -> Values:
    return {"version": recorded.originator_version, "updated_at": recorded.timestamp}
