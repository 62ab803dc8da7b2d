"""One row for each record of the user's own, and one for each program that its changes called."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Final, Literal, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.record.events import (
    RecordCallFailed,
    RecordCallRepeated,
    RecordCreated,
    RecordDeleted,
    RecordUpdated,
)
from domain.record.values import Call
from domain.values import Failure, PayloadRef
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import (
    DEFAULT_LIMIT,
    NEWEST_FIRST,
    Cursor,
    Key,
    Order,
    Page,
    Row,
    Select,
    bigint,
)
from projections.past import Kept, grown

MOST_CALLS: Final = 50
MOST_FORGOTTEN: Final = 1000


CallStatus = Literal["pending", "done", "failed"]


class RecordHead(Row):
    """All of a record but what it holds."""

    record_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was created; newer ones are greater.")
    resource: str = Field(description="What kind of record it is.", examples=["post"])
    status: Literal["active", "deleted"]
    created_at: datetime
    created_by: str
    updated_at: datetime
    deleted_at: datetime | None = Field(description="When it was deleted; it stays readable.")
    deleted_because: str | None


class RecordRow(RecordHead):
    data: PayloadRef


class CallRow(Row):
    """A program that a change of a record called."""

    record_id: UUID
    position: int = Field(description="Where in the log it was called; later ones are greater.")
    execution_id: UUID = Field(description="Its run; there is none if it failed before.")
    binding_id: UUID = Field(description="What bound the program to the change.")
    record_version: int = Field(description="The version of the record that the change made.")
    status: CallStatus
    called_at: datetime
    finished_at: datetime | None
    program_id: UUID | None = Field(description="The program whose outputs were stored.")
    program_version: int | None
    failure: Failure | None


_RECORD = Kept(
    "record",
    fixed=("resource", "created_at", "created_by"),
    changing=("version", "data", "updated_at", "deleted_at", "deleted_because"),
)


class Records(Projection):
    name: ClassVar[str] = "records"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE record (
            tenant          text NOT NULL,
            record_id       uuid NOT NULL,
            version         bigint NOT NULL,
            position        bigint NOT NULL,
            resource        text NOT NULL,
            data            json NOT NULL,
            created_at      timestamptz NOT NULL,
            created_by      text NOT NULL,
            updated_at      timestamptz NOT NULL,
            deleted_at      timestamptz,
            deleted_because text,
            PRIMARY KEY (tenant, record_id)
        );
        CREATE INDEX record_newest ON record (tenant, resource, position);
        CREATE TABLE record_call (
            tenant         text NOT NULL,
            execution_id   uuid NOT NULL,
            record_id      uuid NOT NULL,
            binding_id     uuid NOT NULL,
            record_version bigint NOT NULL,
            position       bigint NOT NULL,
            called_at      timestamptz NOT NULL,
            is_open        boolean NOT NULL DEFAULT true,
            PRIMARY KEY (tenant, execution_id)
        );
        CREATE INDEX record_call_newest ON record_call (tenant, record_id, position);
        CREATE INDEX record_call_binding ON record_call (tenant, binding_id, position);
        CREATE INDEX record_call_open ON record_call (tenant, execution_id) WHERE is_open;
        CREATE TABLE record_call_end (
            tenant          text NOT NULL,
            execution_id    uuid NOT NULL,
            position        bigint NOT NULL,
            finished_at     timestamptz NOT NULL,
            program_id      uuid,
            program_version integer,
            failure         json,
            PRIMARY KEY (tenant, execution_id)
        );
    """
        + _RECORD.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (
        _RECORD.past,
        grown("record_call"),
        grown("record_call_end"),
    )
    events: ClassVar[tuple[type[Event], ...]] = (
        RecordCreated,
        RecordUpdated,
        RecordCallFailed,
        RecordCallRepeated,
        RecordDeleted,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case RecordCreated(resource=resource, data=data, calls=calls):
                yield Write(_CREATE, row(recorded, resource=resource, data=document(data)))
                yield from _called(recorded, calls)
            case RecordUpdated(data=data, calls=calls) as updated:
                yield Write(_UPDATE, row(recorded, data=document(data)))
                yield from _answered(recorded, updated)
                yield from _called(recorded, calls)
            case RecordCallFailed(call=call, failure=failure):
                yield Write(_TOUCH, row(recorded))
                yield from _called(recorded, (call,))
                yield from _ended(recorded, call.execution_id, failure=document(failure))
            case RecordCallRepeated(call=call):
                yield Write(_TOUCH, row(recorded))
                yield from _called(recorded, (call,))
            case RecordDeleted(reason=reason):
                yield Write(_DELETE, row(recorded, reason=reason))
            case _:
                pass


def records(
    store: ReadStore,
    resource: str,
    *,
    tenant: str,
    deleted: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[RecordRow]:
    """The newest records of a kind first; with ``deleted=True`` those that were deleted instead."""
    select = Select(_SELECT, of=Records, tenant=tenant)
    select.where("resource = %(resource)s", resource=resource)
    select.where("deleted_at IS NOT NULL" if deleted else "deleted_at IS NULL")
    return select.page(store, RecordRow, NEWEST_FIRST, limit=limit, after=after)


def record(store: ReadStore, resource: str, record_id: UUID, *, tenant: str) -> RecordRow | None:
    """One record of a kind, deleted or not."""
    select = Select(_SELECT, of=Records, tenant=tenant)
    select.where("resource = %(resource)s", resource=resource)
    select.where("record_id = %(id)s", id=record_id)
    return select.first(store, RecordRow, order="position")


def calls(store: ReadStore, record_id: UUID, *, tenant: str) -> Sequence[CallRow]:
    """The programs that changes of a record called, the latest first, ``MOST_CALLS`` at most."""
    select = Select(_CALLS, of=Records, tenant=tenant).where("record_id = %(id)s", id=record_id)
    return select.page(store, CallRow, _LATEST_CALL_FIRST, limit=MOST_CALLS, after=None).rows


def calls_of_binding(
    store: ReadStore,
    binding_id: UUID,
    *,
    tenant: str,
    status: CallStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[CallRow]:
    """The calls that changes of whatever records made of one binding, the latest first."""
    select = Select(_CALLS, of=Records, tenant=tenant)
    select.where("binding_id = %(binding_id)s", binding_id=binding_id)
    select.where("status = %(status)s", status=status)
    return select.page(store, CallRow, _LATEST_CALL_FIRST, limit=limit, after=after)


class ForgottenCall(Row):
    """A call that nobody follows, though its run was never asked for or has ended."""

    tenant: str
    record_id: UUID
    execution_id: UUID


def forgotten_calls(store: ReadStore, older_than_s: float) -> Sequence[ForgottenCall]:
    """Such calls of every tenant that are older than that, the oldest first; ``MOST_FORGOTTEN``.

    Like that for unfinished work, this query is for the sweep alone.
    """
    found = store.rows(_FORGOTTEN, {"older_than_s": older_than_s, "most": MOST_FORGOTTEN})
    return [ForgottenCall.model_validate(dict(each)) for each in found]


def _called(recorded: Recorded, calls: Iterable[Call]) -> Iterable[Write]:
    for call in calls:
        columns = {"execution_id": call.execution_id, "binding_id": call.binding_id}
        yield Write(_CALL, row(recorded, **columns))


def _answered(recorded: Recorded, updated: RecordUpdated) -> Iterable[Write]:
    if (answer := updated.answer) is not None:
        yield from _ended(
            recorded,
            answer.execution_id,
            program_id=answer.program_id,
            program_version=answer.program_version,
        )


def _ended(recorded: Recorded, execution_id: UUID, **columns: object) -> Iterable[Write]:
    columns = {"program_id": None, "program_version": None, "failure": None, **columns}
    yield Write(_CLOSE, row(recorded, execution_id=execution_id))
    yield Write(_END, row(recorded, execution_id=execution_id, **columns))


_LATEST_CALL_FIRST = Order(
    "position DESC, execution_id DESC",
    "(position, execution_id) < (%(after_position)s, %(after_execution_id)s)",
    (Key("position", bigint), Key("execution_id", UUID)),
)
"""One change of a record may make several calls, which have one position."""

_SELECT: LiteralString = """
    SELECT record_id, version, position, resource,
           CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'deleted' END AS status,
           data, created_at, created_by, updated_at, deleted_at, deleted_because
    FROM record WHERE tenant = %(tenant)s"""

_CALLS: LiteralString = """
    SELECT execution_id, record_id, binding_id, record_version, position, called_at, status,
           finished_at, program_id, program_version, failure
    FROM (
        SELECT made.*,
               CASE WHEN ended.position IS NULL THEN 'pending'
                    WHEN ended.failure IS NULL THEN 'done' ELSE 'failed' END AS status,
               ended.finished_at, ended.program_id, ended.program_version, ended.failure
        FROM record_call AS made LEFT JOIN record_call_end AS ended
            ON ended.tenant = made.tenant AND ended.execution_id = made.execution_id
    ) AS call WHERE tenant = %(tenant)s"""

_FORGOTTEN: LiteralString = """
    SELECT tenant, record_id, execution_id FROM record_call AS made
    WHERE is_open AND called_at < now() - make_interval(secs => %(older_than_s)s)
      AND NOT EXISTS (
          SELECT FROM execution
          WHERE execution.tenant = made.tenant AND execution.id = made.execution_id
            AND execution.status IN ('pending', 'running'))
    ORDER BY called_at, execution_id LIMIT %(most)s"""

_CREATE: LiteralString = """
    INSERT INTO record (tenant, record_id, version, position, resource, data, created_at,
                        created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(resource)s, %(data)s, %(at)s,
            %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""

_UPDATE = _RECORD.update("data = %(data)s")
_TOUCH = _RECORD.update("data = data")
_DELETE = _RECORD.update("deleted_at = %(at)s, deleted_because = %(reason)s")

_CALL: LiteralString = """
    INSERT INTO record_call (tenant, execution_id, record_id, binding_id, record_version, position,
                             called_at)
    VALUES (%(tenant)s, %(execution_id)s, %(id)s, %(binding_id)s, %(version)s, %(position)s,
            %(at)s)
    ON CONFLICT DO NOTHING"""

_CLOSE: LiteralString = """
    UPDATE record_call SET is_open = false
    WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s"""

_END: LiteralString = """
    INSERT INTO record_call_end (tenant, execution_id, position, finished_at, program_id,
                                 program_version, failure)
    VALUES (%(tenant)s, %(execution_id)s, %(position)s, %(at)s, %(program_id)s,
            %(program_version)s, %(failure)s)
    ON CONFLICT DO NOTHING"""
