"""What model calls cost: as billed when they were made, and by the price book as it is now.

Read from the rows of ``lm_calls`` when it is asked for. A call is billed once and for all; what it
costs by the book follows the price that is valid, as far as is known now, at the time of the call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, LiteralString
from uuid import UUID

from pydantic import Field

from projections.kernel import ReadStore
from projections.lm_calls import LmCalls, RunKind
from projections.paging import DEFAULT_LIMIT, Cursor, Key, Order, Page, Row, Select
from projections.price_rows import PRICED

MONTH: Final = timedelta(days=30)

CostsBy = Literal["run", "program", "model", "day"]


class Costs(Row):
    """What some calls cost, in US dollars, exact.

    What nobody knows is not part of a sum but counted: ``unpriced`` calls, and then the sum is
    partial. Where nothing is known of any call it is null, never 0.
    """

    calls: int
    billed_usd: Decimal | None = Field(description="As it was recorded with the calls.")
    billed_unpriced: int = Field(description="Calls whose cost nobody knew when they were made.")
    billed_is_partial: bool
    repriced_usd: Decimal | None = Field(
        description="Their tokens by the price book, each at the price of its time."
    )
    repriced_unpriced: int = Field(
        description="Calls without a price in the book, or whose tokens are not known."
    )
    repriced_is_partial: bool


class CostRow(Costs):
    """The costs of one run, program, model or day; what was not asked for is null."""

    run: RunKind | None = None
    run_id: UUID | None = None
    program_id: UUID | None = None
    model: str | None = None
    day: date | None = Field(default=None, description="In UTC.")


class MonthlyCost(Row):
    """What the calls of a program were billed in the last 30 days."""

    usd: Decimal | None = Field(description="Null where nothing is known of any call, never 0.")
    calls: int
    unpriced: int = Field(description="Calls whose cost nobody knows: they are not in the sum.")
    is_partial: bool


@dataclass(frozen=True, slots=True)
class CostFilters:
    """Which calls count: answered at or after *since*, before *until*, and of what is named."""

    since: datetime | None = None
    until: datetime | None = None
    run: RunKind | None = None
    run_id: UUID | None = None
    program_id: UUID | None = None
    model: str | None = None

    def narrow(self, select: Select) -> Select:
        """Keep only these calls."""
        select.where("called_at >= %(since)s", since=self.since)
        select.where("called_at < %(until)s", until=self.until)
        select.where("run = %(run)s", run=self.run)
        select.where("run_id = %(run_id)s", run_id=self.run_id)
        select.where("program_id = %(program_id)s", program_id=self.program_id)
        return select.where("model = %(model)s", model=self.model)


ALL_CALLS: Final = CostFilters()


def costs(
    store: ReadStore,
    filters: CostFilters = ALL_CALLS,
    *,
    tenant: str,
    by: CostsBy = "model",
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[CostRow]:
    """What calls cost: models by their names; days, runs and programs the newest first."""
    columns, order = _GROUPS[by]
    select = Select("SELECT " + columns + ", " + _SUMS, of=LmCalls, tenant=tenant)
    filters.narrow(select).grouped(columns)
    return select.page(store, CostRow, order, limit=limit, after=after)


def costs_total(store: ReadStore, filters: CostFilters = ALL_CALLS, *, tenant: str) -> Costs:
    """What everything costs that ``costs`` would list; 0 where there are no calls."""
    select = Select("SELECT " + _SUMS, of=LmCalls, tenant=tenant)
    return filters.narrow(select).only(store, Costs)


def monthly_costs(
    store: ReadStore,
    *,
    tenant: str,
    now: datetime,
    program_ids: Sequence[UUID] | None = None,
) -> Mapping[UUID, MonthlyCost]:
    """What programs cost in the 30 days before *now*; those without calls are left out.

    A call that was answered exactly 30 days ago is not among them any more.
    """
    params = {"tenant": tenant, "since": now - MONTH, "program_ids": program_ids}
    sql = _MONTHLY if program_ids is None else _MONTHLY + _OF_PROGRAMS
    found = store.rows(sql + " GROUP BY program_id", params, of=LmCalls)
    rows = [_ProgramCost.model_validate(dict(each)) for each in found]
    return {
        each.program_id: MonthlyCost(**each.model_dump(exclude={"program_id"})) for each in rows
    }


class _ProgramCost(MonthlyCost):
    program_id: UUID


NO_CALLS: Final = MonthlyCost(usd=Decimal(0), calls=0, unpriced=0, is_partial=False)

_GROUPS: Final[Mapping[CostsBy, tuple[LiteralString, Order]]] = {
    "run": (
        "run, run_id",
        Order("run_id DESC", "run_id < %(after_run_id)s", (Key("run_id", UUID),)),
    ),
    "program": (
        "program_id",
        Order("program_id DESC", "program_id < %(after_program_id)s", (Key("program_id", UUID),)),
    ),
    "model": ("model", Order("model", "model > %(after_model)s", (Key("model", str),))),
    "day": ("day", Order("day DESC", "day < %(after_day)s", (Key("day", date.fromisoformat),))),
}

# A sum over nothing but unknown parts is unknown; a sum over nothing at all is 0.
_SUMS: LiteralString = (
    """
    count(*) AS calls,
    trim_scale(coalesce(sum(cost_usd), CASE count(*) WHEN 0 THEN 0 END)) AS billed_usd,
    count(*) - count(cost_usd) AS billed_unpriced,
    count(*) > count(cost_usd) AS billed_is_partial,
    trim_scale(coalesce(sum(repriced_usd), CASE count(*) WHEN 0 THEN 0 END)) AS repriced_usd,
    count(*) - count(repriced_usd) AS repriced_unpriced,
    count(*) > count(repriced_usd) AS repriced_is_partial
    FROM ("""
    + PRICED
    + """) AS priced WHERE tenant = %(tenant)s"""
)

_MONTHLY: LiteralString = """
    SELECT program_id, trim_scale(sum(cost_usd)) AS usd, count(*) AS calls,
           count(*) - count(cost_usd) AS unpriced, count(*) > count(cost_usd) AS is_partial
    FROM lm_call WHERE tenant = %(tenant)s AND called_at > %(since)s"""

_OF_PROGRAMS: LiteralString = " AND program_id = ANY(%(program_ids)s)"
