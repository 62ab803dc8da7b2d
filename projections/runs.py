"""What executions, optimizations and evaluations share: their life, and what they spent."""

from datetime import datetime
from decimal import Decimal
from typing import Final, LiteralString
from uuid import UUID

from pydantic import Field

from domain.run import RunStatus
from domain.values import Failure, LmCall
from projections.folding import document
from projections.paging import Row


class Spend(Row):
    """The sum over a run's calls so far; one unknown part makes that sum ``null``, never 0."""

    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    total_tokens: int | None
    cost_usd: Decimal | None = Field(description="US dollars, exact.")


class RunRow(Row):
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was requested; newer ones are greater.")
    program_id: UUID
    program_version: int
    status: RunStatus
    actor: str = Field(description="Who requested it.")
    correlation_id: UUID = Field(description="Names all that was done for the same reason.")
    requested_at: datetime
    updated_at: datetime = Field(description="When the last event of its own happened.")
    started_at: datetime | None = Field(description="When a worker first took it.")
    finished_at: datetime | None
    duration_ms: float | None = Field(description="As the worker measured it, waiting left out.")
    attempts: int = Field(description="How often a worker took it: more than 1 after a kill.")
    worker: str | None = Field(description="The worker that took it last.")
    tool_calls: int = Field(description="Calls of tools, retrievers and interpreters so far.")
    spend: Spend
    failure: Failure | None
    cancelled_because: str | None


def called(call: LmCall) -> dict[str, object]:
    """The parameters of ``CALLED`` for *call*."""
    return {
        "prompt_tokens": call.usage.prompt_tokens,
        "completion_tokens": call.usage.completion_tokens,
        "cached_tokens": call.usage.cached_tokens,
        "reasoning_tokens": call.usage.reasoning_tokens,
        "total_tokens": call.usage.total_tokens,
        "cost_usd": call.cost_usd,
    }


def ended(failure: Failure, duration_ms: float | None) -> dict[str, object]:
    """The parameters of ``FAILED``."""
    return {"failure": document(failure), "duration_ms": duration_ms}


COLUMNS: Final[LiteralString] = """
            tenant            text NOT NULL,
            id                uuid NOT NULL,
            version           bigint NOT NULL,
            position          bigint NOT NULL,
            program_id        uuid NOT NULL,
            program_version   integer NOT NULL,
            status            text NOT NULL,
            actor             text NOT NULL,
            correlation_id    uuid NOT NULL,
            requested_at      timestamptz NOT NULL,
            touched_at        timestamptz NOT NULL,
            started_at        timestamptz,
            finished_at       timestamptz,
            duration_ms       double precision,
            attempts          integer NOT NULL DEFAULT 0,
            worker            text,
            tool_calls        bigint NOT NULL DEFAULT 0,
            calls             bigint NOT NULL DEFAULT 0,
            prompt_tokens     bigint DEFAULT 0,
            completion_tokens bigint DEFAULT 0,
            cached_tokens     bigint DEFAULT 0,
            reasoning_tokens  bigint DEFAULT 0,
            total_tokens      bigint DEFAULT 0,
            cost_usd          numeric DEFAULT 0,
            failure           json,
            cancelled_because text,
            PRIMARY KEY (tenant, id)"""
"""Columns of a table of runs. ``touched_at`` is the time of the last event of the run's stream."""

_SELECTED: Final[LiteralString] = """,
           version, position, program_id, program_version, status, actor, correlation_id,
           requested_at, touched_at AS updated_at, started_at, finished_at, duration_ms, attempts,
           worker, tool_calls,
           json_build_object(
               'calls', calls, 'prompt_tokens', prompt_tokens,
               'completion_tokens', completion_tokens, 'cached_tokens', cached_tokens,
               'reasoning_tokens', reasoning_tokens, 'total_tokens', total_tokens,
               'cost_usd', cost_usd::text) AS spend,
           failure, cancelled_because, """


def select(table: LiteralString, id: LiteralString, columns: LiteralString) -> LiteralString:
    """Read runs as ``RunRow`` has them, with *columns* of their own; the id is called *id*."""
    where = " WHERE tenant = %(tenant)s"
    return "".join(("SELECT id AS ", id, _SELECTED, columns, " FROM ", table, where))


def insert(table: LiteralString, columns: LiteralString, values: LiteralString) -> LiteralString:
    """Add the run that an event requested, with *columns* of its own."""
    return "".join(
        (
            "INSERT INTO ",
            table,
            " (tenant, id, version, position, program_id, program_version, status, actor,"
            " correlation_id, requested_at, touched_at, ",
            columns,
            ") VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(program_id)s,"
            " %(program_version)s, 'pending', %(actor)s, %(correlation_id)s, %(at)s, %(at)s, ",
            values,
            ") ON CONFLICT DO NOTHING",
        )
    )


def update(table: LiteralString, assignments: LiteralString) -> LiteralString:
    """Make *assignments* to the run that an event is about, unless it has them already."""
    where = " WHERE tenant = %(tenant)s AND id = %(id)s AND version < %(version)s"
    return "".join(("UPDATE ", table, " SET version = %(version)s, ", assignments, where))


TOUCHED: Final[LiteralString] = "touched_at = %(at)s"
STARTED: Final[LiteralString] = TOUCHED + (
    ", status = 'running', attempts = %(attempt)s, worker = %(worker)s,"
    " started_at = coalesce(started_at, %(at)s)"
)
CALLED: Final[LiteralString] = TOUCHED + (
    ", calls = calls + 1, prompt_tokens = prompt_tokens + %(prompt_tokens)s,"
    " completion_tokens = completion_tokens + %(completion_tokens)s,"
    " cached_tokens = cached_tokens + %(cached_tokens)s,"
    " reasoning_tokens = reasoning_tokens + %(reasoning_tokens)s,"
    " total_tokens = total_tokens + %(total_tokens)s, cost_usd = cost_usd + %(cost_usd)s"
)
"""Adds a call. To add an unknown amount gives an unknown sum: Postgres agrees with ``LmSpend``."""

TOOL_CALLED: Final[LiteralString] = TOUCHED + ", tool_calls = tool_calls + 1"
COMPLETED: Final[LiteralString] = TOUCHED + (
    ", status = 'completed', finished_at = %(at)s, duration_ms = %(duration_ms)s"
)
FAILED: Final[LiteralString] = TOUCHED + (
    ", status = 'failed', finished_at = %(at)s, failure = %(failure)s,"
    " duration_ms = %(duration_ms)s"
)
CANCELLED: Final[LiteralString] = TOUCHED + (
    ", status = 'cancelled', finished_at = %(at)s, cancelled_because = %(reason)s"
)
