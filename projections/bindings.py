"""One row for each binding of a program to changes of records."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.binding.events import (
    BindingChanged,
    BindingCreated,
    BindingPaused,
    BindingRemoved,
    BindingResumed,
)
from domain.binding.values import BindingSpec, BindingStatus
from domain.kernel import Event, Recorded
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import Kept


class BindingRow(Row):
    binding_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was created; newer ones are greater.")
    name: str = Field(description="In full, with its resource.", examples=["post.summarise"])
    resource: str = Field(description="The kind of records whose changes call it.")
    program_id: UUID
    spec: BindingSpec
    status: BindingStatus
    status_reason: str | None = Field(description="Why it is paused or removed.")
    created_at: datetime
    created_by: str
    updated_at: datetime


_BINDING = Kept(
    "binding",
    fixed=("name", "resource", "created_at", "created_by"),
    changing=("version", "program_id", "spec", "status", "status_reason", "updated_at"),
)


class Bindings(Projection):
    name: ClassVar[str] = "bindings"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE binding (
            tenant        text NOT NULL,
            binding_id    uuid NOT NULL,
            version       bigint NOT NULL,
            position      bigint NOT NULL,
            name          text NOT NULL,
            resource      text NOT NULL,
            program_id    uuid NOT NULL,
            spec          json NOT NULL,
            status        text NOT NULL,
            status_reason text,
            created_at    timestamptz NOT NULL,
            created_by    text NOT NULL,
            updated_at    timestamptz NOT NULL,
            PRIMARY KEY (tenant, binding_id)
        );
        CREATE INDEX binding_newest ON binding (tenant, position);
        CREATE INDEX binding_name ON binding (tenant, name, position);
    """
        + _BINDING.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_BINDING.past,)
    events: ClassVar[tuple[type[Event], ...]] = (
        BindingCreated,
        BindingChanged,
        BindingPaused,
        BindingResumed,
        BindingRemoved,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case BindingCreated(name=name, spec=spec):
                columns = row(recorded, name=name, resource=spec.resource, **_columns(spec))
                yield Write(_CREATE, columns)
            case BindingChanged(spec=spec):
                yield Write(_CHANGE, row(recorded, **_columns(spec)))
            case BindingPaused(reason=reason):
                yield _now(recorded, BindingStatus.PAUSED, reason)
            case BindingResumed():
                yield _now(recorded, BindingStatus.ACTIVE, None)
            case BindingRemoved(reason=reason):
                yield _now(recorded, BindingStatus.REMOVED, reason)
            case _:
                pass


def bindings(
    store: ReadStore,
    *,
    tenant: str,
    resource: str | None = None,
    program_id: UUID | None = None,
    status: BindingStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[BindingRow]:
    """The newest bindings first."""
    select = Select(_SELECT, of=Bindings, tenant=tenant)
    select.where("resource = %(resource)s", resource=resource)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("status = %(status)s", status=status and status.value)
    return select.page(store, BindingRow, NEWEST_FIRST, limit=limit, after=after)


def binding(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> BindingRow | None:
    """One binding, whatever its status."""
    select = Select(_SELECT, of=Bindings, tenant=tenant).called("binding_id", id_or_name)
    return select.first(store, BindingRow, order="position DESC")


def _columns(spec: BindingSpec) -> dict[str, object]:
    return {"program_id": spec.program_id, "spec": document(spec)}


def _now(recorded: Recorded, status: BindingStatus, reason: str | None) -> Write:
    return Write(_SET, row(recorded, status=status.value, reason=reason))


_SELECT: LiteralString = """
    SELECT binding_id, version, position, name, resource, program_id, spec, status, status_reason,
           created_at, created_by, updated_at
    FROM binding WHERE tenant = %(tenant)s"""

_CREATE: LiteralString = """
    INSERT INTO binding (tenant, binding_id, version, position, name, resource, program_id, spec,
                         status, created_at, created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(resource)s,
            %(program_id)s, %(spec)s, 'active', %(at)s, %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""

_CHANGE = _BINDING.update("program_id = %(program_id)s, spec = %(spec)s")
_SET = _BINDING.update("status = %(status)s, status_reason = %(reason)s")
