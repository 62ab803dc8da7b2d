"""The price book over HTTP: what models cost, from when on."""

from typing import Annotated

from fastapi import Query, Response

from application.authorization import Permission
from application.prices import SetPrice, WithdrawPrice
from application.reasons import NO_REASON
from domain.price.values import ModelName, Moment, Rates
from domain.text import LongText
from infrastructure.api.bodies import Body
from infrastructure.api.dependencies import Reading, Writing, wish
from infrastructure.api.etags import Written, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import prices
from projections.prices import PriceRow

PATH = "/v1/prices"
routes = router(PATH, "costs", needs=Permission.READ)


class WithdrawnPrice(Body):
    """From when on the book does not say what a model costs."""

    model: ModelName
    valid_from: Moment | None = None
    reason: LongText = NO_REASON


class NewPrice(WithdrawnPrice):
    """What calls of a model cost from a moment on: from now on, if none is named."""

    rates: Rates


@routes.post("")
async def set_price(body: NewPrice, desk: Writing, response: Response) -> Written:
    """Set what calls of a model cost. Calls that were made stay billed as they were."""
    command = wish(SetPrice, **body.model_dump())
    return written(response, await desk.dispatch(command))


@routes.post("/withdraw")
async def withdraw_price(body: WithdrawnPrice, desk: Writing, response: Response) -> Written:
    """Take the price of a model out of the book from a moment on."""
    command = wish(WithdrawPrice, **body.model_dump())
    return written(response, await desk.dispatch(command))


@routes.get("")
async def list_prices(
    desk: Reading,
    model: Annotated[str | None, Query(description="Only of a model.")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[PriceRow]:
    """See what models cost: each price from when on, those to come first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: prices.prices(
                store, tenant=desk.tenant, model=model, limit=limit, after=after
            )
        )
    )
