"""The price book: what each model costs from when on, as it was set last for each moment."""

from datetime import datetime
from decimal import Decimal
from typing import Final, LiteralString

from pydantic import Field

from projections.kernel import ReadStore
from projections.lm_calls import LmCalls
from projections.paging import DEFAULT_LIMIT, Cursor, Key, Order, Page, Row, Select


class PriceRow(Row):
    """US dollars for a million tokens, exact; all null where the price was withdrawn."""

    model: str
    valid_from: datetime = Field(description="Calls from then on cost that.")
    input_usd: Decimal | None
    cached_input_usd: Decimal | None = Field(description="Null: cached tokens cost as input.")
    output_usd: Decimal | None
    reasoning_usd: Decimal | None = Field(description="Null: reasoning tokens cost as output.")
    reason: str
    set_at: datetime
    set_by: str


def prices(
    store: ReadStore,
    *,
    tenant: str,
    model: str | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[PriceRow]:
    """Model by model, of each the price that begins last first."""
    select = Select(_SELECT, of=LmCalls, tenant=tenant).where("model = %(model)s", model=model)
    return select.page(store, PriceRow, _BY_MODEL, limit=limit, after=after)


_BY_MODEL: Final = Order(
    "model, valid_from DESC",
    "(model > %(after_model)s OR model = %(after_model)s AND valid_from < %(after_valid_from)s)",
    (Key("model", str), Key("valid_from", datetime.fromisoformat)),
)

_SELECT: LiteralString = """
    SELECT model, valid_from, input_usd, cached_input_usd, output_usd, reasoning_usd, reason,
           set_at, set_by
    FROM lm_price AS price
    WHERE tenant = %(tenant)s AND NOT EXISTS (
        SELECT FROM lm_price AS later
        WHERE later.tenant = price.tenant AND later.model = price.model
          AND later.valid_from = price.valid_from AND later.position > price.position)"""
