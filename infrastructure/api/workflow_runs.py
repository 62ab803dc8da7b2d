"""Runs of workflows over HTTP: how far each is, what each step was given and gave, and its end."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import BaseModel, Field, JsonValue

from application.ports import PayloadStore
from application.workflow_runs import CancelWorkflowRun, UndoWorkflowRun
from domain.kernel import Recorded
from domain.values import Failure
from domain.workflow.aggregate import Workflow
from domain.workflow.events import WorkflowEvent
from domain.workflow.values import WorkflowSpec
from domain.workflow_run.events import (
    WorkflowRunCompleted,
    WorkflowRunFailed,
    WorkflowRunStarted,
    WorkflowRunUndone,
    WorkflowStepCompleted,
    WorkflowStepFailed,
    WorkflowStepSkipped,
    WorkflowStepStarted,
    WorkflowStepUndone,
    WorkflowUndoFailed,
    WorkflowUndoStarted,
)
from domain.workflow_run.values import WorkflowRunStatus
from infrastructure.api.bodies import Cancellation
from infrastructure.api.call_views import text_of
from infrastructure.api.dependencies import Desk, Expected, Reading, Writing, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import workflow_runs as read_model
from projections.workflow_runs import WorkflowRunRow
from projections.workflow_states import workflow_run

KIND: Final = "workflow_run"
PATH: Final = "/v1/workflow-runs"
routes = router(PATH, "workflows")

ENDS: Final = frozenset(
    {WorkflowRunCompleted.TOPIC, WorkflowRunUndone.TOPIC, WorkflowRunFailed.TOPIC}
)

Id = Annotated[UUID, Path(alias="workflow_run_id")]


class StepView(BaseModel):
    """A step that was taken up, or skipped."""

    step: str
    status: Literal["running", "skipped", "completed", "waiting", "failed", "undoing", "undone"] = (
        Field(description="waiting: it failed, and is tried again at `retry_at`.")
    )
    attempts: int = Field(default=0, description="How often a worker took it up, to do or undo it.")
    inputs: JsonValue = Field(default=None, description="What it was given last.")
    outputs: JsonValue = Field(default=None, description="What it gave; null until completed.")
    failure: Failure | None = Field(default=None, description="What went wrong last.")
    retry_at: datetime | None = None
    updated_at: datetime


class WorkflowRunView(WorkflowRunRow):
    """A run of a workflow with its steps, as new as the log itself."""

    latest_position: int = Field(description="Where in the log its latest event lies.")
    inputs: JsonValue = Field(description="What it was started with.")
    steps: tuple[StepView, ...] = Field(description="In the order in which they were taken up.")

    @property
    def ended(self) -> bool:
        """Whether nothing more is done by itself."""
        return self.status.is_terminal


@routes.get("")
async def list_workflow_runs(
    desk: Reading,
    workflow_id: Annotated[UUID | None, Query(description="Only those of a workflow.")] = None,
    run_status: Annotated[WorkflowRunStatus | None, Query(alias="status")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[WorkflowRunRow]:
    """List runs of workflows, newest first; `status=failed` are those that need a person."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.workflow_runs(
                store,
                tenant=desk.tenant,
                workflow_id=workflow_id,
                status=run_status,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{workflow_run_id}")
async def get_workflow_run(id: Id, desk: Reading, response: Response) -> WorkflowRunView:
    """Read one run: each step with what it was given, and gave."""
    view = await desk.run(partial(view_of, desk, id))
    tag(response, view.version)
    return view


@routes.post("/{workflow_run_id}/cancel")
async def cancel_workflow_run(
    id: Id, body: Cancellation, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Call a run off. A step under way ends first; then all that was done is undone."""
    command = wish(CancelWorkflowRun, run_id=id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


@routes.post("/{workflow_run_id}/undo")
async def undo_workflow_run(
    id: Id, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Try once more to undo what could not be undone, after somebody looked."""
    command = wish(UndoWorkflowRun, run_id=id, expected_version=expected)
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


def view_of(desk: Desk, id: UUID) -> WorkflowRunView:
    """The run with *id*. Blocks.

    Raises:
        AggregateNotFound: The tenant has none.
    """
    return _told(desk.history(KIND, id), desk.deps.payloads)


def version_of(history: Sequence[Recorded], number: int) -> WorkflowSpec:
    """Version *number* of the workflow that *history* tells.

    Raises:
        WorkflowVersionNotFound: It has no such version.
    """
    events = [each.event for each in history if isinstance(each.event, WorkflowEvent)]
    return Workflow.fold(history[0].originator_id, events).spec_of(number)


def _told(history: Sequence[Recorded], payloads: PayloadStore) -> WorkflowRunView:
    row: WorkflowRunRow | None = None
    steps: dict[str, StepView] = {}
    for recorded in history:
        row = workflow_run(row, recorded)
        _fold(steps, recorded, payloads)
    started = history[0].event
    assert row is not None
    assert isinstance(started, WorkflowRunStarted)
    return WorkflowRunView(
        **dict(row),
        latest_position=history[-1].position or 0,
        inputs=text_of(started.inputs, payloads),
        steps=tuple(steps.values()),
    )


def _fold(steps: dict[str, StepView], recorded: Recorded, payloads: PayloadStore) -> None:
    event = recorded.event
    if not (name := getattr(event, "step", None)):
        return
    new = StepView(step=name, status="running", updated_at=recorded.timestamp)
    changes: dict[str, object] = {"retry_at": None}
    match event:
        case WorkflowStepStarted(attempt=attempt, inputs=inputs):
            changes |= {"attempts": attempt, "inputs": text_of(inputs, payloads)}
            changes["status"] = "running"
        case WorkflowUndoStarted(attempt=attempt):
            changes |= {"attempts": attempt, "status": "undoing"}
        case WorkflowStepSkipped():
            changes["status"] = "skipped"
        case WorkflowStepCompleted(outputs=outputs):
            changes |= {"status": "completed", "outputs": text_of(outputs, payloads)}
        case WorkflowStepUndone():
            changes["status"] = "undone"
        case WorkflowStepFailed() | WorkflowUndoFailed():
            failed = "waiting" if event.retry_at else "failed"
            changes = {"status": failed, "failure": event.failure, "retry_at": event.retry_at}
        case _:
            pass
    changes["updated_at"] = recorded.timestamp
    steps[name] = steps.get(name, new).model_copy(update=changes)
