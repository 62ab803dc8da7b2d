"""What each event of a workflow, and of a run of one, says in plain English."""

from datetime import datetime
from typing import assert_never
from uuid import UUID

from domain.workflow.events import (
    WorkflowDefined,
    WorkflowEvent,
    WorkflowRetired,
    WorkflowRevised,
)
from domain.workflow_run.events import (
    WorkflowRunCancelled,
    WorkflowRunCompleted,
    WorkflowRunEvent,
    WorkflowRunFailed,
    WorkflowRunStarted,
    WorkflowRunUndone,
    WorkflowStepCompleted,
    WorkflowStepFailed,
    WorkflowStepSkipped,
    WorkflowStepStarted,
    WorkflowStepUndone,
    WorkflowUndoFailed,
    WorkflowUndoRequested,
    WorkflowUndoStarted,
)
from projections.words import Words, cause_of, many, plain, quoted


def workflow(id: UUID, event: WorkflowEvent) -> Words:
    match event:
        case WorkflowDefined(spec=spec):
            return ("defined workflow ", id, f" of {many(len(spec.steps), 'step')}")
        case WorkflowRevised(new_version=new, spec=spec):
            return (f"wrote version {new} of workflow ", id, f" of {many(len(spec.steps), 'step')}")
        case WorkflowRetired(reason=reason):
            return ("retired workflow ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def workflow_run(id: UUID, event: WorkflowRunEvent) -> Words:
    match event:
        case WorkflowRunStarted(workflow_id=workflow_id, workflow_version=version):
            return (f"started version {version} of workflow ", workflow_id, f" as run {id}")
        case WorkflowRunCancelled(reason=reason):
            return (f"called off run {id} because {quoted(reason)}",)
        case WorkflowRunCompleted():
            return (f"completed run {id}",)
        case WorkflowRunUndone():
            return (f"undid all that run {id} had done",)
        case WorkflowRunFailed(not_undone=steps):
            return (f"gave up run {id} with {', '.join(map(plain, steps))} not undone",)
        case WorkflowUndoRequested():
            return (f"asked to undo once more what run {id} had done",)
        case _:
            return _step(id, event)


def _step(
    id: UUID,
    event: WorkflowStepStarted
    | WorkflowStepSkipped
    | WorkflowStepCompleted
    | WorkflowStepFailed
    | WorkflowUndoStarted
    | WorkflowStepUndone
    | WorkflowUndoFailed,
) -> Words:
    which = f"step {plain(event.step)} of run {id}"
    match event:
        case WorkflowStepStarted(attempt=attempt, worker=worker):
            return (f"began attempt {attempt} of {which} on worker {plain(worker)}",)
        case WorkflowStepSkipped():
            return (f"skipped {which}",)
        case WorkflowStepCompleted():
            return (f"completed {which}",)
        case WorkflowStepFailed(failure=failure, retry_at=retry_at):
            return (f"failed {which}{_then(retry_at)} because {cause_of(failure)}",)
        case WorkflowUndoStarted(attempt=attempt, worker=worker):
            return (f"began to undo {which} as attempt {attempt} on worker {plain(worker)}",)
        case WorkflowStepUndone():
            return (f"undid {which}",)
        case WorkflowUndoFailed(failure=failure, retry_at=retry_at):
            return (f"failed to undo {which}{_then(retry_at)} because {cause_of(failure)}",)
        case _:
            assert_never(event)


def _then(retry_at: datetime | None) -> str:
    return " for good" if retry_at is None else f", to try again at {retry_at:%H:%M:%S} UTC,"
