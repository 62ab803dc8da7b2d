"""What models were used for, and what that cost, over HTTP."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from infrastructure.api.dependencies import Reading
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, encode, shown
from infrastructure.api.route import router
from projections.execution_periods import ExecutionPeriod, Period, execution_periods
from projections.kernel import ReadStore
from projections.lm_calls import RunKind
from projections.lm_usage import LmUsageRow, LmUsageSums, lm_usage, lm_usage_total

routes = router("/v1", "trail")


class UsageView(BaseModel):
    """What models were used for, by day, run, program, model and predictor; and the sum of all."""

    items: tuple[LmUsageRow, ...]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    total: LmUsageSums


@routes.get("/usage")
async def read_usage(
    desk: Reading,
    since: Annotated[date | None, Query(description="From this day on, in UTC.")] = None,
    until: Annotated[date | None, Query(description="Before this day, in UTC.")] = None,
    program_id: Annotated[UUID | None, Query(description="Only of a program.")] = None,
    model: Annotated[str | None, Query(description="Only of a model.")] = None,
    run: Annotated[RunKind | None, Query(description="Only of this kind of run.")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> UsageView:
    """See calls, tokens and cost, newest days first."""
    after = decode(cursor)

    def query(store: ReadStore) -> UsageView:
        page = lm_usage(
            store,
            tenant=desk.tenant,
            since=since,
            until=until,
            program_id=program_id,
            model=model,
            run=run,
            limit=limit,
            after=after,
        )
        total = lm_usage_total(
            store,
            tenant=desk.tenant,
            since=since,
            until=until,
            program_id=program_id,
            model=model,
            run=run,
        )
        return UsageView(items=page.rows, next=encode(page.next), total=total)

    return await desk.read(query)


@routes.get("/usage/executions")
async def read_execution_periods(
    desk: Reading,
    by: Annotated[Period, Query(description="How long a period is, in UTC.")] = "day",
    since: Annotated[AwareDatetime | None, Query(description="Requested then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Requested before then.")] = None,
    program_id: Annotated[UUID | None, Query(description="Only of a program.")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[ExecutionPeriod]:
    """See how executions went by hour or day: success, durations, tokens, cost; newest first.

    Periods in which nothing was requested are left out.
    """
    after = decode(cursor)

    def query(store: ReadStore) -> PageView[ExecutionPeriod]:
        page = execution_periods(
            store,
            tenant=desk.tenant,
            by=by,
            since=since,
            until=until,
            program_id=program_id,
            limit=limit,
            after=after,
        )
        return shown(page)

    return await desk.read(query)
