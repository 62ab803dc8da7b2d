"""What calls cost, as billed and by the price book, equals what brute force finds in the log."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from domain.execution.events import ExecutionLmCalled
from domain.kernel import Event
from domain.price.values import Rates
from domain.values import Failure, LmUsage, RunRef
from projections.costs import (
    NO_CALLS,
    CostFilters,
    CostRow,
    Costs,
    costs,
    costs_total,
    monthly_costs,
)
from projections.prices import prices
from tests.support import histories as build
from tests.support.histories import NOW, Log, an_id
from tests.support.legal_histories import logs
from tests.support.prices import (
    CHEAP,
    RATES,
    PricedCall,
    price_set,
    price_withdrawn,
    priced_calls,
    summed,
)
from tests.support.projecting import ProjectionScenario, ReadModels, for_tenant, pages

pytestmark = pytest.mark.postgres

MODELS = (build.MODEL, "anthropic/claude", "gemini/flash", "local/unpriced")
KEYS: dict[str, Callable[[PricedCall], tuple[object, ...]]] = {
    "run": lambda call: (call.run, call.run_id),
    "program": lambda call: (call.program_id,),
    "model": lambda call: (call.model,),
    "day": lambda call: (call.day,),
}
COLUMNS = {
    "run": ("run", "run_id"),
    "program": ("program_id",),
    "model": ("model",),
    "day": ("day",),
}
FAILED = Failure(code="model.unavailable", message="It is overloaded.")


def a_call(chance: random.Random) -> Event:
    """A call of some model, that failed, or whose cost is unknown, or that the cache answered."""
    prompt, completion = chance.randrange(10**6), chance.randrange(10**6)
    usage = LmUsage(
        prompt_tokens=chance.choice([None, *[prompt] * 9]),
        completion_tokens=completion,
        cached_tokens=chance.choice([None, 0, prompt // 2, prompt + 1]),
        reasoning_tokens=chance.choice([None, 0, completion // 3]),
        total_tokens=chance.choice([None, prompt + completion, prompt + completion + 1]),
    )
    call = build.lm_call(
        f"{chance.random()}",
        model=chance.choice(MODELS),
        usage=usage,
        cost_usd=chance.choice([None, *[Decimal(chance.randrange(10**9)).scaleb(-12)] * 5]),
        failure=chance.choice([None] * 9 + [FAILED]),
    )
    filled_by = chance.choice([None] * 9 + [RunRef(kind="execution", id=an_id("run"))])
    return ExecutionLmCalled(call=call.model_copy(update={"filled_by": filled_by}))


def two_months(log: Log, *, executions: int = 1_000) -> Log:
    """Executions of seven programs at any time of 60 days, in which prices change."""
    chance, begun = random.Random(47), log.at
    for model in MODELS[:3]:
        log.append(an_id(f"price {model}"), price_set(RATES, model=model, valid_from=begun))
        for change in (CHEAP, Rates(input_usd=Decimal(3), output_usd=Decimal("0.000000007"))):
            since = begun + timedelta(seconds=chance.randrange(60 * 86_400))
            log.append(an_id(f"price {model}"), price_set(change, model=model, valid_from=since))
    last = begun + timedelta(days=55)
    log.append(an_id("price"), price_withdrawn(model=MODELS[1], valid_from=last))
    for number in range(executions):
        log.at = begun + timedelta(microseconds=chance.randrange(60 * 86_400 * 10**6))
        asked = build.execution_requested(f"p{chance.randrange(7)}")
        calls = [a_call(chance) for _ in range(chance.randrange(3))]
        log.append(an_id(f"run {number}"), asked, *calls)
    return log


@pytest.fixture(scope="module")
def grown(models: ReadModels) -> Log:
    log = two_months(Log(tenant=f"tenant-{uuid4().hex}"))
    models.project(log.recorded)
    return log


def plain(row: Costs) -> dict[str, object]:
    return row.model_dump(include=set(Costs.model_fields))


def assert_recomputed(models: ReadModels, log: Log, tenant: str) -> None:
    """Every sum of every grouping, and the total."""
    calls = list(priced_calls(log.recorded))
    for by, key in KEYS.items():
        expected: dict[object, list[PricedCall]] = defaultdict(list)
        for call in calls:
            expected[key(call)].append(call)
        found: dict[object, CostRow] = {
            tuple(getattr(row, column) for column in COLUMNS[by]): row
            for page in pages(costs, models.store, tenant=tenant, by=by, limit=50)
            for row in page.rows
        }
        assert found.keys() == expected.keys()
        for each, row in found.items():
            assert plain(row) == summed(expected[each])
    assert plain(costs_total(models.store, tenant=tenant)) == summed(calls)


@pytest.mark.feature("CST-01")
def test_cst_01_the_monthly_cost_of_1000_random_executions_equals_brute_force(
    models: ReadModels, grown: Log
) -> None:
    now = NOW + timedelta(days=60)
    expected: dict[Any, list[PricedCall]] = defaultdict(list)
    for call in priced_calls(grown.recorded):
        if call.at > now - timedelta(days=30):
            expected[call.program_id].append(call)
    found = monthly_costs(models.store, tenant=grown.tenant, now=now)
    assert found.keys() == expected.keys()
    assert len(found) == 7
    for program_id, month in found.items():
        wanted = summed(expected[program_id])
        assert month.model_dump() == {
            "usd": wanted["billed_usd"],
            "calls": wanted["calls"],
            "unpriced": wanted["billed_unpriced"],
            "is_partial": wanted["billed_is_partial"],
        }
    some = list(found)[:2]
    of_some = monthly_costs(models.store, tenant=grown.tenant, now=now, program_ids=some)
    assert of_some == {each: found[each] for each in some}


@pytest.mark.feature("CST-01")
def test_cst_01_what_was_called_exactly_30_days_ago_is_not_of_the_month(
    scenario: ProjectionScenario,
) -> None:
    scenario.given(an_id("run"), *build.an_execution())
    called = next(
        each.timestamp
        for each in scenario.log.recorded
        if isinstance(each.event, ExecutionLmCalled)
    )

    def month(after: timedelta) -> object:
        found = monthly_costs(scenario.models.store, tenant=scenario.log.tenant, now=called + after)
        return found.get(an_id("program"), NO_CALLS).usd

    assert month(timedelta(days=30)) == 0
    assert month(timedelta(days=30, microseconds=-1)) == Decimal("0.000123")


@pytest.mark.feature("CST-02")
def test_cst_02_each_of_1000_executions_is_repriced_by_the_price_of_its_time(
    models: ReadModels, grown: Log
) -> None:
    assert_recomputed(models, grown, grown.tenant)
    total = costs_total(models.store, tenant=grown.tenant)
    assert 0 < total.repriced_unpriced < total.calls
    assert total.repriced_usd != total.billed_usd


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(log=logs())
def test_costs_equal_a_recomputation_from_the_events(models: ReadModels, log: Log) -> None:
    tenant = f"tenant-{uuid4().hex}"
    models.project(for_tenant(tenant, log.recorded))
    assert_recomputed(models, log, tenant)


@pytest.mark.feature("CST-02")
def test_cst_02_a_price_change_in_mid_month_prices_each_call_by_its_time(
    scenario: ProjectionScenario,
) -> None:
    dear = Rates(input_usd=Decimal(10), output_usd=Decimal(10))
    scenario.given(an_id("price"), price_set(CHEAP), price_set(dear, valid_from=NOW))
    scenario.log.at = NOW - timedelta(seconds=3, microseconds=1)
    scenario.given(an_id("run 1"), *build.an_execution())
    scenario.log.at = NOW - timedelta(seconds=3)
    scenario.given(an_id("run 2"), *build.an_execution())
    cheap, costly = Decimal("0.000027"), Decimal("0.0012")
    rows = (
        {"run_id": an_id(name), "repriced_usd": usd}
        for name, usd in sorted(
            (("run 1", cheap), ("run 2", costly)), key=lambda each: an_id(each[0]), reverse=True
        )
    )
    scenario.then_rows(costs, *rows, by="run")
    scenario.then_row(costs_total, billed_usd=Decimal("0.000246"), repriced_usd=cheap + costly)


@pytest.mark.feature("CST-05")
def test_cst_05_a_model_without_a_price_costs_nobody_knows_what(
    scenario: ProjectionScenario,
) -> None:
    scenario.then_row(costs_total, calls=0, billed_usd=Decimal(0), billed_is_partial=False)
    scenario.given(an_id("price"), price_set(model="known", valid_from=NOW))
    known = build.lm_call("a", model="known", cost_usd=Decimal("0.5"))
    unknown = build.lm_call("b", model="unknown", cost_usd=None)
    scenario.given(an_id("run"), *build.an_execution(known, unknown))
    scenario.then_rows(
        costs,
        {"model": "known", "billed_usd": Decimal("0.5"), "billed_unpriced": 0},
        {
            "model": "unknown",
            "billed_usd": None,
            "billed_unpriced": 1,
            "repriced_usd": None,
            "repriced_unpriced": 1,
            "repriced_is_partial": True,
        },
        by="model",
    )
    scenario.then_row(
        costs_total,
        calls=2,
        billed_usd=Decimal("0.5"),
        billed_unpriced=1,
        billed_is_partial=True,
        repriced_usd=Decimal("0.000027"),
        repriced_unpriced=1,
        repriced_is_partial=True,
    )


def test_costs_are_those_of_what_is_asked_for(models: ReadModels, grown: Log) -> None:
    calls = list(priced_calls(grown.recorded))
    one, since, until = calls[7], NOW + timedelta(days=20), NOW + timedelta(days=40)

    def found(**only: Any) -> Costs:
        return costs_total(models.store, CostFilters(**only), tenant=grown.tenant)

    def expected(wanted: Callable[[PricedCall], bool]) -> dict[str, object]:
        return summed([each for each in calls if wanted(each)])

    assert plain(found(since=since, until=until)) == expected(lambda it: since <= it.at < until)
    assert plain(found(since=one.at, until=one.at)) == summed([])
    assert plain(found(run_id=one.run_id)) == expected(lambda it: it.run_id == one.run_id)
    assert plain(found(program_id=one.program_id, model=one.model)) == expected(
        lambda it: (it.program_id, it.model) == (one.program_id, one.model)
    )
    assert found(run="evaluation").calls == 0


def test_the_book_shows_what_was_set_last_for_each_moment(scenario: ProjectionScenario) -> None:
    later = NOW + timedelta(days=1)
    scenario.given(an_id("a"), price_set(CHEAP, model="a"), price_set(RATES, model="a"))
    scenario.given(an_id("b"), price_set(CHEAP, model="b", valid_from=NOW))
    scenario.given(an_id("b"), price_withdrawn(model="b", valid_from=later))
    shown = [
        {"model": "a", "input_usd": RATES.input_usd, "reasoning_usd": RATES.reasoning_usd},
        {"model": "b", "valid_from": later, "input_usd": None, "output_usd": None},
        {"model": "b", "valid_from": NOW, "input_usd": CHEAP.input_usd, "reasoning_usd": None},
    ]
    scenario.then_rows(prices, *shown)
    scenario.then_rows(prices, *shown[1:], model="b")
    store, tenant = scenario.models.store, scenario.log.tenant
    found: Iterator[Any] = (page.rows for page in pages(prices, store, tenant=tenant, limit=1))
    assert [row for rows in found for row in rows] == list(prices(store, tenant=tenant).rows)
