"""How executions went by the hour or the day they were requested: counts, durations, tokens, cost.

Read from the rows of ``executions`` when it is asked for: percentiles of parts cannot be added up.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, LiteralString
from uuid import UUID

from pydantic import Field

from projections.executions import Executions
from projections.kernel import ReadStore
from projections.paging import DEFAULT_LIMIT, Cursor, Key, Order, Page, Row, Select

Period = Literal["hour", "day"]


class ExecutionPeriod(Row):
    """The executions that were requested in one hour, or on one day."""

    period: datetime = Field(description="When it began, in UTC.")
    executions: int
    completed: int
    failed: int
    cancelled: int
    unfinished: int
    success_rate: float | None = Field(
        description="Of those that completed or failed; null if there are none."
    )
    duration_p50_ms: float | None = Field(
        description="So long at most half of them took, as the worker measured it; null if none"
        " was measured."
    )
    duration_p95_ms: float | None
    duration_p99_ms: float | None
    total_tokens: int = Field(description="Of those whose tokens are all known.")
    with_unknown_tokens: int
    cost_usd: Decimal = Field(description="US dollars, exact: of those whose cost is all known.")
    with_unknown_cost: int


def execution_periods(
    store: ReadStore,
    *,
    tenant: str,
    by: Period = "day",
    since: datetime | None = None,
    until: datetime | None = None,
    program_id: UUID | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ExecutionPeriod]:
    """The newest periods first, of what was requested at or after *since* and before *until*."""
    select = Select(_SELECT, of=Executions, tenant=tenant, by=by).grouped("period")
    select.where("requested_at >= %(since)s", since=since)
    select.where("requested_at < %(until)s", until=until)
    select.where("program_id = %(program_id)s", program_id=program_id)
    return select.page(store, ExecutionPeriod, _NEWEST, limit=limit, after=after)


_NEWEST: Final = Order(
    "period DESC",
    "requested_at < %(after_period)s",
    (Key("period", datetime.fromisoformat),),
)

_SELECT: LiteralString = """
    SELECT date_trunc(%(by)s, requested_at, 'UTC') AS period,
           count(*) AS executions,
           count(*) FILTER (WHERE status = 'completed') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE status IN ('pending', 'running')) AS unfinished,
           count(*) FILTER (WHERE status = 'completed')::float8
               / nullif(count(*) FILTER (WHERE status IN ('completed', 'failed')), 0)
               AS success_rate,
           percentile_disc(0.50) WITHIN GROUP (ORDER BY duration_ms) AS duration_p50_ms,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS duration_p95_ms,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms) AS duration_p99_ms,
           coalesce(sum(total_tokens), 0)::bigint AS total_tokens,
           count(*) FILTER (WHERE total_tokens IS NULL) AS with_unknown_tokens,
           coalesce(sum(cost_usd), 0) AS cost_usd,
           count(*) FILTER (WHERE cost_usd IS NULL) AS with_unknown_cost
    FROM execution WHERE tenant = %(tenant)s"""
