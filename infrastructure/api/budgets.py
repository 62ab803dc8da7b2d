"""Budgets over HTTP: what runs may cost, set aside before anything is called."""

from decimal import Decimal
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Path, Response, status
from pydantic import AwareDatetime, BaseModel, Field

from application.authorization import Permission
from application.budgets import CloseBudget, GrantCredit, OpenBudget, ReviseBudget
from application.credit import Standing
from application.reasons import NO_REASON
from domain.budget.aggregate import Budget
from domain.budget.values import Amount, Cover
from domain.text import LongText
from infrastructure.api.bodies import Body, NewThing, Retirement
from infrastructure.api.dependencies import Expected, ReadingNow, Writing, wish
from infrastructure.api.etags import Written, written
from infrastructure.api.route import router

PATH = "/v1/budgets"
routes = router(PATH, "budgets", needs=Permission.READ)

Id = Annotated[UUID, Path(alias="budget_id")]


class NewBudget(NewThing):
    """Whose runs may cost how much. It is empty at first, and then lets none of them begin."""

    cover: Annotated[
        Cover, Field(description="All runs of the tenant, of a program, or of an actor.")
    ] = Cover()
    hold_usd: Annotated[Amount, Field(description="What each run sets aside until it ends.")]
    alert_below_usd: Annotated[
        Amount | None, Field(description="Tell, as a fact, when less than that is left.")
    ] = None


class Grant(Body):
    """Money for runs."""

    usd: Amount
    reason: LongText = NO_REASON


class RevisedBudget(Body):
    """What later runs set aside, and when to tell that little is left."""

    hold_usd: Amount
    alert_below_usd: Amount | None = None


class BudgetView(BaseModel):
    """How a budget stands, exact and as new as the log: granted - held - charged is left.

    Runs may cost more than they held: then it is overdrawn, nothing is left, and that much is
    missing from the next grant.
    """

    budget_id: UUID
    cover: Cover
    hold_usd: Decimal
    alert_below_usd: Decimal | None
    granted_usd: Decimal
    held_usd: Decimal = Field(description="Set aside by runs under way.")
    charged_usd: Decimal = Field(description="What runs that ended cost.")
    overdrawn_usd: Decimal
    left_usd: Decimal = Field(description="What later runs may set aside; never below 0.")
    unpriced: int = Field(description="Runs whose cost nobody knows; see how they are charged.")
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None


class Budgets(BaseModel):
    """All budgets, closed ones last."""

    items: tuple[BudgetView, ...]


@routes.post("", status_code=status.HTTP_201_CREATED)
async def open_budget(body: NewBudget, desk: Writing, response: Response) -> Written:
    """Open a budget. Runs that it covers are refused with 402 until it is granted enough."""
    budget_id = desk.new_id(Budget.KIND, body.id)
    command = wish(OpenBudget, budget_id=budget_id, **body.model_dump(exclude={"id"}))
    return written(response, await desk.dispatch(command), f"{PATH}/{budget_id}")


@routes.get("")
async def list_budgets(desk: ReadingNow) -> Budgets:
    """See how all budgets stand now."""
    found = await desk.run(desk.deps.credit.standings)
    return Budgets(items=tuple(map(_view, found)))


@routes.get("/{budget_id}")
async def get_budget(id: Id, desk: ReadingNow) -> BudgetView:
    """See how a budget stands now."""
    return _view(await desk.run(partial(desk.deps.credit.standing, id)))


@routes.post("/{budget_id}/grant")
async def grant_credit(
    id: Id, body: Grant, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Put more into a budget."""
    command = wish(GrantCredit, budget_id=id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


@routes.post("/{budget_id}/revise")
async def revise_budget(
    id: Id, body: RevisedBudget, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Change what later runs set aside, and when to tell that little is left."""
    command = wish(ReviseBudget, budget_id=id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


@routes.post("/{budget_id}/close")
async def close_budget(
    id: Id, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Have a budget stop nothing any more, for good. What it paid for stays readable."""
    command = wish(CloseBudget, budget_id=id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


def _view(standing: Standing) -> BudgetView:
    return BudgetView.model_validate(standing, from_attributes=True)
