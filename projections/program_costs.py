"""The list of programs with what each cost in the last 30 days, the dearest first if asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final, LiteralString
from uuid import UUID

from pydantic import Field

from domain.program.values import Stage
from projections.costs import NO_CALLS, MonthlyCost, monthly_costs
from projections.kernel import ReadStore
from projections.paging import DEFAULT_LIMIT, Cursor, Key, Order, Page, Select, bigint
from projections.program_catalog import (
    ORDERS,
    PROGRAMS,
    ProgramCatalog,
    ProgramRow,
    Sorting,
    narrowed,
    program,
    programs,
)


@dataclass(frozen=True, slots=True)
class Month:
    """The 30 days before *until*: who cost at least *min_usd* then, and who cost most.

    Of unknown cost are programs of whose calls nothing is known: they pass no minimum, and come
    last.
    """

    until: datetime
    min_usd: Decimal | None = None
    dearest_first: bool = False

    @property
    def chooses(self) -> bool:
        """Whether the costs of all programs say which are listed where."""
        return self.dearest_first or self.min_usd is not None


class PricedProgram(ProgramRow):
    monthly_cost: MonthlyCost | None = Field(
        default=None,
        description="What its calls were billed in the last 30 days; null if not asked for.",
    )


class _RankedProgram(ProgramRow):
    rank: Decimal


def priced_programs(
    store: ReadStore,
    *,
    tenant: str,
    month: Month | None = None,
    name: str | None = None,
    stage: Stage | None = None,
    archived: bool = False,
    order: Sorting = "newest",
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[PricedProgram]:
    """As ``programs``, with what they cost in a *month*, if that is asked for."""
    if month is not None and month.chooses:
        select, months = _ranked(store, tenant, month)
        narrowed(select, name=name, stage=stage, archived=archived)
        by = _DEAREST if month.dearest_first else ORDERS[order]
        ranked = select.page(store, _RankedProgram, by, limit=limit, after=after)
        return Page(tuple(_priced(row, months) for row in ranked.rows), ranked.next)
    page = programs(
        store,
        tenant=tenant,
        name=name,
        stage=stage,
        archived=archived,
        order=order,
        limit=limit,
        after=after,
    )
    found = _months_of(page.rows, store, tenant, month)
    return Page(tuple(_priced(row, found) for row in page.rows), page.next)


def priced_program(
    store: ReadStore, id_or_name: UUID | str, *, tenant: str, month: Month | None = None
) -> PricedProgram | None:
    """As ``program``, with what it cost in a *month*, if that is asked for."""
    row = program(store, id_or_name, tenant=tenant)
    return None if row is None else _priced(row, _months_of([row], store, tenant, month))


def _months_of(
    rows: Sequence[ProgramRow], store: ReadStore, tenant: str, month: Month | None
) -> Mapping[UUID, MonthlyCost] | None:
    if month is None:
        return None
    ids = [row.program_id for row in rows]
    return monthly_costs(store, tenant=tenant, now=month.until, program_ids=ids)


def _ranked(
    store: ReadStore, tenant: str, month: Month
) -> tuple[Select, Mapping[UUID, MonthlyCost]]:
    """The programs with what each cost, so that they can be ordered and chosen by it."""
    months = monthly_costs(store, tenant=tenant, now=month.until)
    ranks = [_UNKNOWN if each.usd is None else each.usd for each in months.values()]
    select = Select(_RANKED, of=ProgramCatalog, tenant=tenant, ids=list(months), ranks=ranks)
    select.where("coalesce(month.rank, 0) >= %(min_usd)s", min_usd=month.min_usd)
    return select, months


def _priced(row: ProgramRow, months: Mapping[UUID, MonthlyCost] | None) -> PricedProgram:
    cost = None if months is None else months.get(row.program_id, NO_CALLS)
    values = {name: getattr(row, name) for name in ProgramRow.model_fields}
    return PricedProgram(**values, monthly_cost=cost)


def _usd(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error


_UNKNOWN: Final = Decimal(-1)
_DEAREST: Final = Order(
    "rank DESC, position DESC",
    "(coalesce(month.rank, 0), position) < (%(after_rank)s, %(after_position)s)",
    (Key("rank", _usd), Key("position", bigint)),
)

_TEMPLATE: LiteralString = """
    SELECT listed.*, coalesce(month.rank, 0) AS rank
    FROM (<programs>) AS listed
    LEFT JOIN unnest(%(ids)s::uuid[], %(ranks)s::numeric[]) AS month (program_id, rank)
        USING (program_id)
    WHERE true"""

_RANKED = _TEMPLATE.replace("<programs>", PROGRAMS)
