"""One row for each tool on the shelf: what it is, and whether it is in service."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.tool.events import ToolCreated, ToolRetired
from domain.tool.values import ToolSpec
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import Kept


class ToolRow(Row):
    tool_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was created; newer ones are greater.")
    name: str = Field(description="What a model calls it by.")
    spec: ToolSpec
    created_at: datetime
    created_by: str
    updated_at: datetime
    retired_at: datetime | None = Field(description="When it was retired; it stays readable.")
    retired_because: str | None


_TOOL = Kept(
    "tool",
    fixed=("name", "spec", "created_at", "created_by"),
    changing=("version", "updated_at", "retired_at", "retired_because"),
)


class Tools(Projection):
    name: ClassVar[str] = "tools"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE tool (
            tenant          text NOT NULL,
            tool_id         uuid NOT NULL,
            version         bigint NOT NULL,
            position        bigint NOT NULL,
            name            text NOT NULL,
            spec            json NOT NULL,
            created_at      timestamptz NOT NULL,
            created_by      text NOT NULL,
            updated_at      timestamptz NOT NULL,
            retired_at      timestamptz,
            retired_because text,
            PRIMARY KEY (tenant, tool_id)
        );
        CREATE INDEX tool_newest ON tool (tenant, position);
        CREATE INDEX tool_name ON tool (tenant, name, position);
    """
        + _TOOL.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_TOOL.past,)
    events: ClassVar[tuple[type[Event], ...]] = (ToolCreated, ToolRetired)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ToolCreated(spec=spec):
                yield Write(_CREATE, row(recorded, name=spec.name, spec=document(spec)))
            case ToolRetired(reason=reason):
                yield Write(_RETIRE, row(recorded, reason=reason))
            case _:
                pass


def tools(
    store: ReadStore,
    *,
    tenant: str,
    name: str | None = None,
    retired: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ToolRow]:
    """The newest tools first; with ``retired=True`` those that were retired instead."""
    select = Select(_SELECT, of=Tools, tenant=tenant).where("name = %(name)s", name=name)
    select.where("retired_at IS NOT NULL" if retired else "retired_at IS NULL")
    return select.page(store, ToolRow, NEWEST_FIRST, limit=limit, after=after)


def tool(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> ToolRow | None:
    """One tool, retired or not."""
    select = Select(_SELECT, of=Tools, tenant=tenant).called("tool_id", id_or_name)
    return select.first(store, ToolRow, order="retired_at IS NULL DESC, position DESC")


_SELECT: LiteralString = """
    SELECT tool_id, version, position, name, spec, created_at, created_by, updated_at, retired_at,
           retired_because
    FROM tool WHERE tenant = %(tenant)s"""

_CREATE: LiteralString = """
    INSERT INTO tool (tenant, tool_id, version, position, name, spec, created_at, created_by,
                      updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(spec)s, %(at)s, %(actor)s,
            %(at)s)
    ON CONFLICT DO NOTHING"""

_RETIRE = _TOOL.update("retired_at = %(at)s, retired_because = %(reason)s")
