"""One row for each run of a program, with its replays; its model calls are in ``lm_calls``."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionCreditHeld,
    ExecutionCreditSettled,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionRouted,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.execution.values import ReplayStatus
from domain.kernel import Event, Recorded
from domain.run import RunStatus
from domain.values import Failure, PayloadRef
from projections import runs
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.runs import RunRow


class ReplayRow(Row):
    """One repetition of a run from the log alone."""

    replay: int
    status: ReplayStatus = Field(
        description="verified: no model call and equal outputs. diverged: the failure says where."
    )
    requested_at: datetime
    requested_by: str
    finished_at: datetime | None
    duration_ms: float | None
    answered_from_log: int | None = Field(
        description="Calls of models and tools that the log answered."
    )
    failure: Failure | None
    outputs: PayloadRef | None = Field(description="What a diverged replay gave instead.")


class ExecutionRow(RunRow):
    execution_id: UUID
    inputs: PayloadRef
    outputs: PayloadRef | None
    filled_by: UUID | None = Field(
        description="The equal execution whose outputs the cache gave, if it did."
    )
    deadline: datetime | None = Field(description="It has ended by then.")
    varies: UUID | None = Field(description="The execution that it ran another way, if any.")
    warnings: int = Field(description="How many things may have made its answer another one.")
    replays: tuple[ReplayRow, ...] = Field(description="At most 50, newest first.")


class Executions(Projection):
    name: ClassVar[str] = "executions"
    version: ClassVar[int] = 9
    schema: ClassVar[LiteralString] = (
        "CREATE TABLE execution ("
        + runs.COLUMNS
        + """,
            inputs    json NOT NULL,
            outputs   json,
            filled_by uuid,
            deadline  timestamptz,
            varies    uuid,
            warnings  integer NOT NULL DEFAULT 0,
            in_step   boolean NOT NULL,
            in_batch  boolean NOT NULL
        ) WITH (fillfactor = 75);
        CREATE INDEX execution_newest ON execution (tenant, position);
        CREATE INDEX execution_program ON execution (tenant, program_id, position);
        CREATE INDEX execution_status ON execution (tenant, status, position);
        CREATE INDEX execution_actor ON execution (tenant, actor, position);
        CREATE INDEX execution_time ON execution (tenant, requested_at);
        CREATE INDEX execution_unfinished ON execution (tenant, id)
            WHERE status IN ('pending', 'running');
        CREATE TABLE execution_replay (
            tenant            text NOT NULL,
            execution_id      uuid NOT NULL,
            replay            integer NOT NULL,
            status            text NOT NULL,
            requested_at      timestamptz NOT NULL,
            requested_by      text NOT NULL,
            finished_at       timestamptz,
            duration_ms       double precision,
            answered_from_log integer,
            failure           json,
            outputs           json,
            PRIMARY KEY (tenant, execution_id, replay)
        );
        CREATE INDEX execution_replay_pending ON execution_replay (tenant, execution_id)
            WHERE status = 'pending';
    """
    )
    events: ClassVar[tuple[type[Event], ...]] = (
        ExecutionRequested,
        ExecutionStarted,
        ExecutionRouted,
        ExecutionWarned,
        ExecutionCreditHeld,
        ExecutionCreditSettled,
        ExecutionLmCalled,
        ExecutionToolCalled,
        ExecutionCompleted,
        ExecutionFailed,
        ExecutionCancelled,
        ReplayRequested,
        ReplayVerified,
        ReplayDiverged,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ExecutionRequested() as event:
                yield Write(_REQUEST, row(recorded, **_requested(recorded, event)))
            case ExecutionStarted(attempt=attempt, worker=worker):
                yield Write(_START, row(recorded, attempt=attempt, worker=worker))
            case ExecutionLmCalled(call=call):
                yield Write(_CALL, row(recorded, **runs.called(call)))
            case ExecutionToolCalled():
                yield Write(_TOOL_CALL, row(recorded))
            case ExecutionCompleted() as event:
                yield Write(_COMPLETE, row(recorded, **_completed(event)))
            case ExecutionFailed(failure=failure, duration_ms=duration_ms):
                yield Write(_FAIL, row(recorded, **runs.ended(failure, duration_ms)))
            case ExecutionCancelled(reason=reason):
                yield Write(_CANCEL, row(recorded, reason=reason))
            case _:
                yield from _besides(recorded)


def _besides(recorded: Recorded) -> Iterable[Write]:
    match recorded.event:
        case ExecutionWarned():
            yield Write(_WARN, row(recorded))
        case ExecutionRouted() | ExecutionCreditHeld() | ExecutionCreditSettled():
            yield Write(_TOUCH, row(recorded))
        case ReplayRequested(replay=replay):
            yield Write(_TOUCH, row(recorded))
            yield Write(_REPLAY, row(recorded, replay=replay))
        case ReplayVerified() | ReplayDiverged() as event:
            yield Write(_TOUCH, row(recorded))
            yield Write(_REPLAYED, row(recorded, **_answer(event)))
        case _:
            pass


def executions(
    store: ReadStore,
    *,
    tenant: str,
    program_id: UUID | None = None,
    program_version: int | None = None,
    status: RunStatus | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    tokens_above: int | None = None,
    are_originals: bool = False,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ExecutionRow]:
    """The newest runs first, requested at or after *since* and before *until*.

    Those whose tokens nobody counted are not among those with more than *tokens_above*; and those
    that vary another one not among those that *are_originals*.
    """
    select = Select(_SELECT, of=Executions, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("program_version = %(program_version)s", program_version=program_version)
    select.where("status = %(status)s", status=status and status.value)
    select.where("actor = %(actor)s", actor=actor)
    select.where("requested_at >= %(since)s", since=since)
    select.where("requested_at < %(until)s", until=until)
    select.where("total_tokens > %(tokens_above)s", tokens_above=tokens_above)
    if are_originals:
        select.where("varies IS NULL")
    return select.page(store, ExecutionRow, NEWEST_FIRST, limit=limit, after=after)


def replayable(
    store: ReadStore,
    *,
    tenant: str,
    program_id: UUID | None = None,
    program_version: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    unless_replayed_since: datetime | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ExecutionRow]:
    """The newest runs that completed or failed, as ``executions`` has them.

    Those that somebody asked a replay of at or after *unless_replayed_since* are left out.
    """
    select = Select(_SELECT, of=Executions, tenant=tenant)
    select.where("status IN ('completed', 'failed')")
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("program_version = %(program_version)s", program_version=program_version)
    select.where("requested_at >= %(since)s", since=since)
    select.where("requested_at < %(until)s", until=until)
    select.where(_NOT_REPLAYED, unless_replayed_since=unless_replayed_since)
    return select.page(store, ExecutionRow, NEWEST_FIRST, limit=limit, after=after)


def execution(store: ReadStore, execution_id: UUID, *, tenant: str) -> ExecutionRow | None:
    """One run of a program."""
    select = Select(_SELECT, of=Executions, tenant=tenant).where("id = %(id)s", id=execution_id)
    return select.first(store, ExecutionRow, order="position")


def _requested(recorded: Recorded, event: ExecutionRequested) -> dict[str, object]:
    return {
        "program_id": event.program_id,
        "program_version": event.program_version,
        "correlation_id": recorded.envelope.correlation_id,
        "inputs": document(event.inputs),
        "deadline": event.deadline,
        "varies": event.varies,
        "in_step": bool(event.caller and event.caller.carries_it_out),
        "in_batch": bool(event.caller and event.caller.kind == "batch"),
    }


def _completed(event: ExecutionCompleted) -> dict[str, object]:
    return {
        "outputs": document(event.outputs),
        "filled_by": event.filled_by,
        "duration_ms": event.duration_ms,
    }


def _answer(event: ReplayVerified | ReplayDiverged) -> dict[str, object]:
    diverged = event if isinstance(event, ReplayDiverged) else None
    status = ReplayStatus.DIVERGED if diverged else ReplayStatus.VERIFIED
    return {
        "replay": event.replay,
        "status": status.value,
        "answered_from_log": event.answered_from_log,
        "duration_ms": event.duration_ms,
        "failure": document(diverged and diverged.failure),
        "outputs": document(diverged and diverged.outputs),
    }


_SELECT = runs.select(
    "execution",
    "execution_id",
    """inputs, outputs, filled_by, deadline, varies, warnings,
           (SELECT coalesce(json_agg(r), '[]') FROM (
                SELECT replay, status, requested_at, requested_by, finished_at, duration_ms,
                       answered_from_log, failure, outputs
                FROM execution_replay AS r
                WHERE r.tenant = execution.tenant AND r.execution_id = execution.id
                ORDER BY replay DESC LIMIT 50) AS r) AS replays""",
)
# Asked of one row after the other: most pages end long before the table does.
_NOT_REPLAYED: LiteralString = """coalesce((
    SELECT max(made.requested_at) FROM execution_replay AS made
    WHERE made.tenant = %(tenant)s AND made.execution_id = execution.id
) < %(unless_replayed_since)s, true)"""
_REQUEST = runs.insert(
    "execution",
    "inputs, deadline, varies, in_step, in_batch",
    "%(inputs)s, %(deadline)s, %(varies)s, %(in_step)s, %(in_batch)s",
)
_START = runs.update("execution", runs.STARTED)
_CALL = runs.update("execution", runs.CALLED)
_TOOL_CALL = runs.update("execution", runs.TOOL_CALLED)
_COMPLETE = runs.update(
    "execution", runs.COMPLETED + ", outputs = %(outputs)s, filled_by = %(filled_by)s"
)
_FAIL = runs.update("execution", runs.FAILED)
_CANCEL = runs.update("execution", runs.CANCELLED)
_WARN = runs.update("execution", runs.TOUCHED + ", warnings = warnings + 1")
_TOUCH = runs.update("execution", runs.TOUCHED)

_REPLAY: LiteralString = """
    INSERT INTO execution_replay (tenant, execution_id, replay, status, requested_at,
                                  requested_by)
    VALUES (%(tenant)s, %(id)s, %(replay)s, 'pending', %(at)s, %(actor)s)
    ON CONFLICT DO NOTHING"""

_REPLAYED: LiteralString = """
    UPDATE execution_replay
    SET status = %(status)s, finished_at = %(at)s, duration_ms = %(duration_ms)s,
        answered_from_log = %(answered_from_log)s, failure = %(failure)s, outputs = %(outputs)s
    WHERE tenant = %(tenant)s AND execution_id = %(id)s AND replay = %(replay)s"""
