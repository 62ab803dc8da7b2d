"""One row for each run of a workflow: how far it is, and what is the matter with it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Final, LiteralString, get_args
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.values import Failure
from domain.workflow_run.events import (
    WorkflowRunCancelled,
    WorkflowRunCompleted,
    WorkflowRunEvent,
    WorkflowRunFailed,
    WorkflowRunStarted,
    WorkflowRunUndone,
    WorkflowStepFailed,
    WorkflowUndoFailed,
    WorkflowUndoRequested,
    calls_for_a_move,
)
from domain.workflow_run.values import WorkflowRunStatus
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select

MAX_UNFINISHED: Final = 1000


class WorkflowRunRow(Row):
    workflow_run_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was started; newer ones are greater.")
    workflow_id: UUID
    workflow_version: int
    status: WorkflowRunStatus
    step: str | None = Field(description="The step of the latest event that was about one.")
    failure: Failure | None = Field(description="What went wrong last.")
    cancelled_because: str | None
    not_undone: tuple[str, ...] = Field(description="Steps that a person has to look at.")
    actor: str = Field(description="Who started it.")
    correlation_id: UUID = Field(description="Names all that was done for the same reason.")
    requested_at: datetime
    updated_at: datetime = Field(description="When the last event of its own happened.")
    finished_at: datetime | None


class WorkflowRuns(Projection):
    name: ClassVar[str] = "workflow_runs"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE workflow_run (
            tenant            text NOT NULL,
            id                uuid NOT NULL,
            version           bigint NOT NULL,
            position          bigint NOT NULL,
            workflow_id       uuid NOT NULL,
            workflow_version  integer NOT NULL,
            status            text NOT NULL,
            step              text,
            failure           json,
            cancelled_because text,
            not_undone        json NOT NULL DEFAULT '[]',
            turn              bigint NOT NULL,
            due_at            timestamptz NOT NULL,
            actor             text NOT NULL,
            correlation_id    uuid NOT NULL,
            requested_at      timestamptz NOT NULL,
            updated_at        timestamptz NOT NULL,
            finished_at       timestamptz,
            PRIMARY KEY (tenant, id)
        );
        CREATE INDEX workflow_run_newest ON workflow_run (tenant, position);
        CREATE INDEX workflow_run_of ON workflow_run (tenant, workflow_id, position);
        CREATE INDEX workflow_run_unfinished ON workflow_run (tenant, id)
            WHERE status IN ('running', 'undoing');
    """
    events: ClassVar[tuple[type[Event], ...]] = get_args(WorkflowRunEvent)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        event = recorded.event
        if isinstance(event, WorkflowRunStarted):
            envelope = recorded.envelope
            columns = row(
                recorded,
                workflow_id=event.workflow_id,
                workflow_version=event.workflow_version,
                correlation_id=envelope.correlation_id,
            )
            yield Write(_START, columns)
        elif isinstance(event, WorkflowRunEvent):
            yield Write(_MOVE, row(recorded, **_changed(event, recorded)))


def _changed(event: WorkflowRunEvent, recorded: Recorded) -> dict[str, object]:
    """What *event* sets; null leaves a column as it is."""
    retry_at = getattr(event, "retry_at", None)
    found: dict[str, object] = {
        "status": None,
        "step": getattr(event, "step", None),
        "failure": None,
        "reason": None,
        "not_undone": None,
        "turn": recorded.originator_version if calls_for_a_move(event) else None,
        "due_at": retry_at or recorded.timestamp,
        "finished_at": None,
    }
    match event:
        case WorkflowStepFailed(failure=failure):
            turned = None if retry_at else WorkflowRunStatus.UNDOING.value
            found |= {"failure": document(failure), "status": turned}
        case WorkflowUndoFailed(failure=failure):
            found["failure"] = document(failure)
        case WorkflowRunCancelled(reason=reason):
            found |= {"reason": reason, "status": WorkflowRunStatus.UNDOING.value}
        case WorkflowUndoRequested():
            found |= {"status": WorkflowRunStatus.UNDOING.value, "not_undone": document([])}
        case WorkflowRunCompleted():
            found |= _ended(WorkflowRunStatus.COMPLETED, recorded)
        case WorkflowRunUndone():
            found |= _ended(WorkflowRunStatus.UNDONE, recorded)
        case WorkflowRunFailed(not_undone=steps):
            found |= _ended(WorkflowRunStatus.FAILED, recorded)
            found["not_undone"] = document([*steps])
        case _:
            pass
    return found


def _ended(status: WorkflowRunStatus, recorded: Recorded) -> dict[str, object]:
    return {"status": status.value, "finished_at": recorded.timestamp}


def workflow_runs(
    store: ReadStore,
    *,
    tenant: str,
    workflow_id: UUID | None = None,
    status: WorkflowRunStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[WorkflowRunRow]:
    """The newest runs first."""
    select = Select(_SELECT, of=WorkflowRuns, tenant=tenant)
    select.where("workflow_id = %(workflow_id)s", workflow_id=workflow_id)
    select.where("status = %(status)s", status=status and status.value)
    return select.page(store, WorkflowRunRow, NEWEST_FIRST, limit=limit, after=after)


def workflow_run(store: ReadStore, run_id: UUID, *, tenant: str) -> WorkflowRunRow | None:
    """One run."""
    select = Select(_SELECT, of=WorkflowRuns, tenant=tenant).where("id = %(id)s", id=run_id)
    return select.first(store, WorkflowRunRow, order="position")


class UnfinishedRun(Row):
    """A run that has neither ended nor moved for a while, and may."""

    tenant: str
    id: UUID
    turn: int


def unfinished_runs(store: ReadStore, older_than_s: float) -> Sequence[UnfinishedRun]:
    """Runs of every tenant that are due for *older_than_s* seconds; for the sweep alone."""
    found = store.rows(_UNFINISHED, {"older_than_s": older_than_s, "most": MAX_UNFINISHED})
    return [UnfinishedRun.model_validate(dict(each)) for each in found]


_SELECT: LiteralString = """
    SELECT id AS workflow_run_id, version, position, workflow_id, workflow_version, status, step,
           failure, cancelled_because, not_undone, actor, correlation_id, requested_at, updated_at,
           finished_at
    FROM workflow_run WHERE tenant = %(tenant)s"""
_START: LiteralString = """
    INSERT INTO workflow_run (tenant, id, version, position, workflow_id, workflow_version, status,
                              turn, due_at, actor, correlation_id, requested_at, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(workflow_id)s, %(workflow_version)s,
            'running', %(version)s, %(at)s, %(actor)s, %(correlation_id)s, %(at)s, %(at)s)
    ON CONFLICT DO NOTHING"""
_MOVE: LiteralString = """
    UPDATE workflow_run SET version = %(version)s, updated_at = %(at)s, due_at = %(due_at)s,
           status = coalesce(%(status)s, status), step = coalesce(%(step)s, step),
           failure = coalesce(%(failure)s, failure),
           cancelled_because = coalesce(%(reason)s, cancelled_because),
           not_undone = coalesce(%(not_undone)s, not_undone),
           turn = coalesce(%(turn)s::bigint, turn), finished_at = %(finished_at)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND version < %(version)s"""
_UNFINISHED: LiteralString = """
    SELECT tenant, id, turn FROM workflow_run
    WHERE status IN ('running', 'undoing')
      AND due_at < now() - make_interval(secs => %(older_than_s)s)
    ORDER BY due_at, id LIMIT %(most)s"""
