"""Everything that can happen to a run of a workflow, in the order of its life."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from domain.kernel import Event
from domain.values import Failure, PayloadRef
from domain.workflow.values import StepName

Attempt = Annotated[int, Field(ge=1)]
"""Which start of the step this is, counted from 1 for doing and undoing it together."""


class WorkflowRunStarted(Event):
    TOPIC: ClassVar[str] = "workflow_run.started"

    workflow_id: UUID
    workflow_version: Annotated[int, Field(ge=1)]
    inputs: PayloadRef


class WorkflowStepStarted(Event):
    """A worker took the step up; a higher *attempt* fences off every earlier one."""

    TOPIC: ClassVar[str] = "workflow_run.step_started"

    step: StepName
    attempt: Attempt
    inputs: PayloadRef
    worker: str


class WorkflowStepSkipped(Event):
    """Its condition does not hold."""

    TOPIC: ClassVar[str] = "workflow_run.step_skipped"

    step: StepName


class WorkflowStepCompleted(Event):
    TOPIC: ClassVar[str] = "workflow_run.step_completed"

    step: StepName
    attempt: Attempt
    outputs: PayloadRef


class WorkflowStepFailed(Event):
    """It is tried again at ``retry_at``; without one, what was done before it is undone."""

    TOPIC: ClassVar[str] = "workflow_run.step_failed"

    step: StepName
    attempt: Attempt
    failure: Failure
    retry_at: datetime | None


class WorkflowRunCancelled(Event):
    """Somebody called it off; a step under way ``during`` it ends first, then all is undone."""

    TOPIC: ClassVar[str] = "workflow_run.cancelled"

    reason: str
    during: StepName | None


class WorkflowUndoStarted(Event):
    TOPIC: ClassVar[str] = "workflow_run.undo_started"

    step: StepName
    attempt: Attempt
    inputs: PayloadRef
    worker: str


class WorkflowStepUndone(Event):
    TOPIC: ClassVar[str] = "workflow_run.step_undone"

    step: StepName
    attempt: Attempt


class WorkflowUndoFailed(Event):
    """It is tried again at ``retry_at``; without one a person has to look."""

    TOPIC: ClassVar[str] = "workflow_run.undo_failed"

    step: StepName
    attempt: Attempt
    failure: Failure
    retry_at: datetime | None


class WorkflowRunCompleted(Event):
    TOPIC: ClassVar[str] = "workflow_run.completed"


class WorkflowRunUndone(Event):
    """All that was done and can be undone is undone."""

    TOPIC: ClassVar[str] = "workflow_run.undone"


class WorkflowRunFailed(Event):
    """``not_undone`` are the steps whose effects are still there."""

    TOPIC: ClassVar[str] = "workflow_run.failed"

    not_undone: Annotated[tuple[StepName, ...], Field(min_length=1)]


class WorkflowUndoRequested(Event):
    """Somebody looked, and wants what could not be undone to be tried again."""

    TOPIC: ClassVar[str] = "workflow_run.undo_requested"


WorkflowRunEvent = (
    WorkflowRunStarted
    | WorkflowStepStarted
    | WorkflowStepSkipped
    | WorkflowStepCompleted
    | WorkflowStepFailed
    | WorkflowRunCancelled
    | WorkflowUndoStarted
    | WorkflowStepUndone
    | WorkflowUndoFailed
    | WorkflowRunCompleted
    | WorkflowRunUndone
    | WorkflowRunFailed
    | WorkflowUndoRequested
)


def calls_for_a_move(event: WorkflowRunEvent) -> bool:
    """Whether somebody has to see what is next after *event*: nobody who works on it will."""
    match event:
        case WorkflowRunCancelled(during=during):
            return during is None
        case (
            WorkflowRunStarted()
            | WorkflowStepSkipped()
            | WorkflowStepCompleted()
            | WorkflowStepFailed()
            | WorkflowStepUndone()
            | WorkflowUndoFailed()
            | WorkflowUndoRequested()
        ):
            return True
        case _:
            return False
