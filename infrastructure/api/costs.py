"""What model calls cost, over HTTP: as billed, and by the price book."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from application.authorization import Permission
from infrastructure.api.dependencies import Reading
from infrastructure.api.pages import LIMIT, After, Limit, decode, encode
from infrastructure.api.route import router
from projections.costs import CostFilters, CostRow, Costs, CostsBy, costs, costs_total
from projections.kernel import ReadStore
from projections.lm_calls import RunKind

PATH = "/v1/costs"
routes = router(PATH, "costs", needs=Permission.READ)


class CostsView(BaseModel):
    """What calls cost by run, program, model or day, and the total of all of them."""

    items: tuple[CostRow, ...]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    total: Costs


@routes.get("")
async def read_costs(
    desk: Reading,
    by: Annotated[CostsBy, Query(description="What each row is about.")] = "model",
    since: Annotated[AwareDatetime | None, Query(description="Answered then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Answered before then.")] = None,
    run: Annotated[RunKind | None, Query(description="Only of this kind of run.")] = None,
    run_id: Annotated[UUID | None, Query(description="Only of a run.")] = None,
    program_id: Annotated[UUID | None, Query(description="Only of a program.")] = None,
    model: Annotated[str | None, Query(description="Only of a model.")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> CostsView:
    """See what calls cost, as billed and by the price book.

    A price that nobody knows is not 0: the calls are counted, and the sum is told as partial.
    """
    after, tenant = decode(cursor), desk.tenant
    narrowed = CostFilters(
        since=since, until=until, run=run, run_id=run_id, program_id=program_id, model=model
    )

    def query(store: ReadStore) -> CostsView:
        page = costs(store, narrowed, tenant=tenant, by=by, limit=limit, after=after)
        total = costs_total(store, narrowed, tenant=tenant)
        return CostsView(items=page.rows, next=encode(page.next), total=total)

    return await desk.read(query)
