"""The list of programs by what they cost in the last 30 days."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.program.events import ProgramArchived
from domain.program.values import Stage
from domain.values import LmUsage
from projections.costs import NO_CALLS, monthly_costs
from projections.paging import CursorIsInvalid
from projections.program_catalog import programs
from projections.program_costs import Month, priced_programs
from tests.projections.test_costs import two_months
from tests.support import histories as build
from tests.support.histories import NOW, an_id
from tests.support.projecting import ProjectionScenario, pages

pytestmark = pytest.mark.postgres

UNTIL = NOW + timedelta(days=60)
DEAREST = Month(UNTIL, dearest_first=True)


@pytest.fixture
def spent(scenario: ProjectionScenario) -> ProjectionScenario:
    """Nine programs: seven at some cost, one at an unknown one, and one that nobody ran."""
    for number in range(9):
        scenario.given(an_id(f"p{number}"), build.program_created(f"p{number}"))
    scenario.log = two_months(scenario.log, executions=150)
    unknown = build.lm_call(cost_usd=None, usage=LmUsage())
    scenario.log.at = NOW + timedelta(days=50)
    scenario.log.append(an_id("unknown"), *build.an_execution(unknown, program="p7"))
    scenario.models.project(scenario.log.recorded)
    return scenario


def listed(spent: ProjectionScenario, month: Month | None, **options: Any) -> list[Any]:
    store, tenant = spent.models.store, spent.log.tenant
    found = pages(priced_programs, store, tenant=tenant, month=month, limit=2, **options)
    return [row for page in found for row in page.rows]


def usd(row: Any) -> Decimal | None:
    found: Decimal | None = row.monthly_cost.usd
    return found


@pytest.mark.feature("CST-01")
def test_cst_01_programs_are_listed_by_their_monthly_cost(spent: ProjectionScenario) -> None:
    store, tenant = spent.models.store, spent.log.tenant
    months = monthly_costs(store, tenant=tenant, now=UNTIL)
    rows = listed(spent, DEAREST)
    assert len({row.program_id for row in rows}) == len(rows) == 9
    assert all(row.monthly_cost == months.get(row.program_id, NO_CALLS) for row in rows)
    known = [each for row in rows[:8] if (each := usd(row)) is not None]
    assert known == sorted(known, reverse=True)
    assert len(known) == 8
    assert rows[7].monthly_cost == NO_CALLS
    assert (rows[8].name, usd(rows[8]), rows[8].monthly_cost.is_partial) == ("p7", None, True)


@pytest.mark.feature("CST-01")
def test_cst_01_programs_are_chosen_by_their_monthly_cost(spent: ProjectionScenario) -> None:
    least = sorted(cost for row in listed(spent, DEAREST) if (cost := usd(row)) is not None)[4]
    dear = listed(spent, Month(UNTIL, min_usd=least))
    assert min(usd(row) or 0 for row in dear) == least
    assert len(dear) == 4
    assert [row.position for row in dear] == sorted((r.position for r in dear), reverse=True)
    assert len(listed(spent, Month(UNTIL, min_usd=Decimal(0)))) == 8
    [one] = listed(spent, Month(UNTIL, min_usd=Decimal(0)), name="p3", stage=Stage.DRAFT)
    assert one.name == "p3"


def test_costs_are_told_of_a_list_in_any_order_or_not_at_all(spent: ProjectionScenario) -> None:
    store, tenant = spent.models.store, spent.log.tenant
    newest = [row.program_id for row in programs(store, tenant=tenant).rows]
    told, untold = listed(spent, Month(UNTIL)), listed(spent, None)
    assert [row.program_id for row in told] == [row.program_id for row in untold] == newest
    assert {row.program_id: row.monthly_cost for row in told} == {
        row.program_id: row.monthly_cost for row in listed(spent, DEAREST)
    }
    assert {row.monthly_cost for row in untold} == {None}
    spent.given(an_id("p0"), ProgramArchived(reason="Old."))
    assert len(listed(spent, DEAREST)) == 8
    assert [row.name for row in listed(spent, DEAREST, archived=True)] == ["p0"]


@pytest.mark.parametrize("after", [("dear", 1), ("1", "first"), ("1",)])
def test_a_cursor_of_another_list_is_refused(
    scenario: ProjectionScenario, after: tuple[int | str, ...]
) -> None:
    store, tenant = scenario.models.store, scenario.log.tenant
    with pytest.raises(CursorIsInvalid):
        priced_programs(store, tenant=tenant, month=DEAREST, after=after)
