"""One row for each workflow: what its latest version says, and whether it is in service."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.workflow.events import WorkflowDefined, WorkflowRetired, WorkflowRevised
from domain.workflow.values import WorkflowSpec
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import Kept


class WorkflowRow(Row):
    workflow_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was defined; newer ones are greater.")
    name: str
    workflow_version: int = Field(description="The latest; runs that go on keep theirs.")
    spec: WorkflowSpec = Field(description="What the latest version says.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    retired_at: datetime | None = Field(description="When it was retired; it stays readable.")
    retired_because: str | None


_WORKFLOW = Kept(
    "workflow",
    fixed=("name", "created_at", "created_by"),
    changing=(
        "version",
        "workflow_version",
        "spec",
        "updated_at",
        "retired_at",
        "retired_because",
    ),
)


class Workflows(Projection):
    name: ClassVar[str] = "workflows"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE workflow (
            tenant           text NOT NULL,
            workflow_id      uuid NOT NULL,
            version          bigint NOT NULL,
            position         bigint NOT NULL,
            name             text NOT NULL,
            workflow_version integer NOT NULL,
            spec             json NOT NULL,
            created_at       timestamptz NOT NULL,
            created_by       text NOT NULL,
            updated_at       timestamptz NOT NULL,
            retired_at       timestamptz,
            retired_because  text,
            PRIMARY KEY (tenant, workflow_id)
        );
        CREATE INDEX workflow_newest ON workflow (tenant, position);
        CREATE INDEX workflow_name ON workflow (tenant, name, position);
    """
        + _WORKFLOW.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_WORKFLOW.past,)
    events: ClassVar[tuple[type[Event], ...]] = (WorkflowDefined, WorkflowRevised, WorkflowRetired)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case WorkflowDefined(name=name, spec=spec):
                yield Write(_DEFINE, row(recorded, name=name, spec=document(spec)))
            case WorkflowRevised(new_version=new, spec=spec):
                yield Write(_REVISE, row(recorded, new_version=new, spec=document(spec)))
            case WorkflowRetired(reason=reason):
                yield Write(_RETIRE, row(recorded, reason=reason))
            case _:
                pass


def workflows(
    store: ReadStore,
    *,
    tenant: str,
    name: str | None = None,
    retired: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[WorkflowRow]:
    """The newest workflows first; with ``retired=True`` those that were retired instead."""
    select = Select(_SELECT, of=Workflows, tenant=tenant).where("name = %(name)s", name=name)
    select.where("retired_at IS NOT NULL" if retired else "retired_at IS NULL")
    return select.page(store, WorkflowRow, NEWEST_FIRST, limit=limit, after=after)


def workflow(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> WorkflowRow | None:
    """One workflow, retired or not. Of several with the name, the living one, else the newest."""
    select = Select(_SELECT, of=Workflows, tenant=tenant).called("workflow_id", id_or_name)
    return select.first(store, WorkflowRow, order="retired_at IS NULL DESC, position DESC")


_SELECT: LiteralString = """
    SELECT workflow_id, version, position, name, workflow_version, spec, created_at, created_by,
           updated_at, retired_at, retired_because
    FROM workflow WHERE tenant = %(tenant)s"""

_DEFINE: LiteralString = """
    INSERT INTO workflow (tenant, workflow_id, version, position, name, workflow_version, spec,
                          created_at, created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, 1, %(spec)s, %(at)s, %(actor)s,
            %(at)s)
    ON CONFLICT DO NOTHING"""

_REVISE = _WORKFLOW.update("workflow_version = %(new_version)s, spec = %(spec)s")

_RETIRE = _WORKFLOW.update("retired_at = %(at)s, retired_because = %(reason)s")
