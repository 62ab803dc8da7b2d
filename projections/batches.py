"""One row for each batch, and one for each of its rows that has a run: how far all of them are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Final, Literal, LiteralString, get_args
from uuid import UUID

from pydantic import Field

from domain.batch.events import (
    BatchCancelled,
    BatchCompleted,
    BatchEstimated,
    BatchEvent,
    BatchPaused,
    BatchRequested,
    BatchResumed,
)
from domain.batch.values import BatchStatus, Estimate
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionRequested,
)
from domain.execution.values import Caller
from domain.kernel import Event, Recorded
from domain.values import Failure, PayloadRef
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select

MAX_UNFINISHED: Final = 1000
KIND: Final = "batch"
"""What the caller of an execution is that runs a row."""


class BatchRow(Row):
    batch_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was requested; newer ones are greater.")
    program_id: UUID
    program_version: int
    status: BatchStatus
    rows: int = Field(description="How many there are.")
    begun: int = Field(description="Rows whose run was asked for; those that ended are among them.")
    completed: int
    failed: int
    cancelled: int = Field(description="Rows that were called off by themselves.")
    concurrency: int = Field(description="How many rows are under way at a time.")
    model: str | None = Field(description="What answers, where the batch names it.")
    varies_runs: bool = Field(description="Its rows are recorded executions, run another way.")
    estimate: Estimate | None = Field(
        description="What that takes; nothing runs before the batch is resumed."
    )
    paused_because: Failure | None = Field(description="Why no more rows begin until it resumes.")
    cancelled_because: str | None
    actor: str = Field(description="Who requested it.")
    correlation_id: UUID = Field(description="Names all that was done for the same reason.")
    requested_at: datetime
    finished_at: datetime | None


class BatchedRow(Row):
    """A row of a batch whose run was asked for."""

    row: int
    execution_id: UUID
    status: Literal["running", "completed", "failed", "cancelled"]
    outputs: PayloadRef | None
    failure: Failure | None


class Batches(Projection):
    name: ClassVar[str] = "batches"
    version: ClassVar[int] = 2
    schema: ClassVar[LiteralString] = """
        CREATE TABLE batch (
            tenant            text NOT NULL,
            id                uuid NOT NULL,
            version           bigint NOT NULL,
            position          bigint NOT NULL,
            program_id        uuid NOT NULL,
            program_version   integer NOT NULL,
            status            text NOT NULL,
            rows              integer NOT NULL,
            concurrency       integer NOT NULL,
            model             text,
            varies_runs       boolean NOT NULL,
            estimate          json,
            paused_because    json,
            cancelled_because text,
            actor             text NOT NULL,
            correlation_id    uuid NOT NULL,
            requested_at      timestamptz NOT NULL,
            touched_at        timestamptz NOT NULL,
            finished_at       timestamptz,
            PRIMARY KEY (tenant, id)
        );
        CREATE INDEX batch_newest ON batch (tenant, position);
        CREATE INDEX batch_program ON batch (tenant, program_id, position);
        CREATE INDEX batch_unfinished ON batch (tenant, id)
            WHERE status IN ('running', 'estimating');
        CREATE TABLE batch_row (
            tenant       text NOT NULL,
            batch_id     uuid NOT NULL,
            row          integer NOT NULL,
            execution_id uuid NOT NULL,
            status       text NOT NULL,
            outputs      json,
            failure      json,
            touched_at   timestamptz NOT NULL,
            PRIMARY KEY (tenant, batch_id, row)
        );
    """
    events: ClassVar[tuple[type[Event], ...]] = (
        *get_args(BatchEvent),
        ExecutionRequested,
        ExecutionCompleted,
        ExecutionFailed,
        ExecutionCancelled,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case BatchRequested() as event:
                yield Write(_REQUEST, row(recorded, **_requested(recorded, event)))
            case BatchEstimated(estimate=estimate):
                yield Write(_ESTIMATE, row(recorded, estimate=document(estimate)))
            case BatchPaused(failure=failure):
                paused = {"status": BatchStatus.PAUSED.value, "failure": document(failure)}
                yield Write(_MOVE, row(recorded, **paused))
            case BatchResumed():
                resumed = {"status": BatchStatus.RUNNING.value, "failure": None}
                yield Write(_MOVE, row(recorded, **resumed))
            case BatchCancelled(reason=reason):
                cancelled = {"status": BatchStatus.CANCELLED.value, "reason": reason}
                yield Write(_END, row(recorded, **cancelled))
            case BatchCompleted():
                completed = {"status": BatchStatus.COMPLETED.value, "reason": None}
                yield Write(_END, row(recorded, **completed))
            case _:
                yield from _of_a_row(recorded)


def _of_a_row(recorded: Recorded) -> Iterable[Write]:
    match recorded.event:
        case ExecutionRequested(caller=Caller(kind="batch") as caller):
            yield Write(_BEGIN_ROW, row(recorded, **_named(caller)))
        case ExecutionCompleted(caller=Caller(kind="batch") as caller, outputs=outputs):
            gave = {"outputs": document(outputs), "failure": None}
            yield Write(_END_ROW, row(recorded, **_named(caller), status="completed", **gave))
        case ExecutionFailed(caller=Caller(kind="batch") as caller, failure=failure):
            why = {"outputs": None, "failure": document(failure)}
            yield Write(_END_ROW, row(recorded, **_named(caller), status="failed", **why))
        case ExecutionCancelled(caller=Caller(kind="batch") as caller):
            nothing = {"outputs": None, "failure": None}
            yield Write(_END_ROW, row(recorded, **_named(caller), status="cancelled", **nothing))
        case _:
            pass


def batches(
    store: ReadStore,
    *,
    tenant: str,
    program_id: UUID | None = None,
    status: BatchStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[BatchRow]:
    """The newest batches first."""
    select = Select(_SELECT, of=Batches, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("status = %(status)s", status=status and status.value)
    return select.page(store, BatchRow, NEWEST_FIRST, limit=limit, after=after)


def batch(store: ReadStore, batch_id: UUID, *, tenant: str) -> BatchRow | None:
    """One batch."""
    select = Select(_SELECT, of=Batches, tenant=tenant).where("id = %(id)s", id=batch_id)
    return select.first(store, BatchRow, order="position")


def batched_rows(
    store: ReadStore, batch_id: UUID, *, tenant: str, after: int, until: int
) -> Sequence[BatchedRow]:
    """The rows later than *after*, up to *until*, that have a run; in their order."""
    told = {"tenant": tenant, "id": batch_id, "after": after, "until": until}
    return [BatchedRow.model_validate(dict(each)) for each in store.rows(_ROWS, told, of=Batches)]


class UnfinishedBatch(Row):
    """A batch that goes on, and of which nothing has moved for a while."""

    tenant: str
    id: UUID
    is_estimated: bool = Field(description="Or it needs none: its rows can begin.")


def unfinished_batches(store: ReadStore, older_than_s: float) -> Sequence[UnfinishedBatch]:
    """Batches of every tenant that stand still for *older_than_s* seconds; for the sweep alone."""
    found = store.rows(_UNFINISHED, {"older_than_s": older_than_s, "most": MAX_UNFINISHED})
    return [UnfinishedBatch.model_validate(dict(each)) for each in found]


def _requested(recorded: Recorded, event: BatchRequested) -> dict[str, object]:
    return {
        "program_id": event.program_id,
        "program_version": event.program_version,
        "rows": event.count,
        "concurrency": event.concurrency,
        "model": event.model,
        "varies_runs": event.varies is not None,
        "status": str(BatchStatus.ESTIMATING if event.varies else BatchStatus.RUNNING),
        "correlation_id": recorded.envelope.correlation_id,
    }


def _named(caller: Caller) -> dict[str, object]:
    return {"batch_id": caller.id, "row": caller.place}


_SELECT: LiteralString = """
    SELECT id AS batch_id, version, position, program_id, program_version, status, rows,
           begun, completed, failed, cancelled, concurrency, model, varies_runs, estimate,
           paused_because, cancelled_because,
           actor, correlation_id, requested_at, finished_at
    FROM batch CROSS JOIN LATERAL (
        SELECT count(*) AS begun, count(*) FILTER (WHERE r.status = 'completed') AS completed,
               count(*) FILTER (WHERE r.status = 'failed') AS failed,
               count(*) FILTER (WHERE r.status = 'cancelled') AS cancelled
        FROM batch_row AS r WHERE r.tenant = batch.tenant AND r.batch_id = batch.id) AS counted
    WHERE tenant = %(tenant)s"""
_ROWS: LiteralString = """
    SELECT row, execution_id, status, outputs, failure FROM batch_row
    WHERE tenant = %(tenant)s AND batch_id = %(id)s
      AND row > %(after)s AND row <= %(until)s ORDER BY row"""
_REQUEST: LiteralString = """
    INSERT INTO batch (tenant, id, version, position, program_id, program_version, status, rows,
                       concurrency, model, varies_runs, actor, correlation_id, requested_at,
                       touched_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(program_id)s, %(program_version)s,
            %(status)s, %(rows)s, %(concurrency)s, %(model)s, %(varies_runs)s, %(actor)s,
            %(correlation_id)s, %(at)s, %(at)s)
    ON CONFLICT DO NOTHING"""
_ESTIMATE: LiteralString = """
    UPDATE batch SET version = %(version)s, touched_at = %(at)s, status = 'estimated',
           estimate = %(estimate)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND version < %(version)s"""
_MOVE: LiteralString = """
    UPDATE batch SET version = %(version)s, touched_at = %(at)s, status = %(status)s,
           paused_because = %(failure)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND version < %(version)s"""
_END: LiteralString = """
    UPDATE batch SET version = %(version)s, touched_at = %(at)s, status = %(status)s,
           cancelled_because = %(reason)s, finished_at = %(at)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND version < %(version)s"""
_BEGIN_ROW: LiteralString = """
    INSERT INTO batch_row (tenant, batch_id, row, execution_id, status, touched_at)
    VALUES (%(tenant)s, %(batch_id)s, %(row)s, %(id)s, 'running', %(at)s)
    ON CONFLICT DO NOTHING"""
_END_ROW: LiteralString = """
    UPDATE batch_row SET status = %(status)s, outputs = %(outputs)s, failure = %(failure)s,
           touched_at = %(at)s
    WHERE tenant = %(tenant)s AND batch_id = %(batch_id)s AND row = %(row)s
      AND status = 'running'"""
_UNFINISHED: LiteralString = """
    SELECT tenant, id, status <> 'estimating' AS is_estimated FROM batch
    WHERE status IN ('running', 'estimating')
      AND touched_at < now() - make_interval(secs => %(older_than_s)s)
      AND NOT EXISTS (
          SELECT FROM batch_row AS r WHERE r.tenant = batch.tenant AND r.batch_id = batch.id
          AND r.touched_at > now() - make_interval(secs => %(older_than_s)s))
    ORDER BY touched_at, id LIMIT %(most)s"""
