"""Executions by hour and day: the figures are those that the events give, one by one."""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
)
from domain.kernel import Event, Recorded
from domain.values import LmSpend, LmUsage
from projections.execution_periods import ExecutionPeriod, execution_periods
from tests.support import histories as build
from tests.support.histories import Log, an_id
from tests.support.projecting import ProjectionScenario, pages

pytestmark = pytest.mark.postgres

HOUR = timedelta(hours=1)


def failed(duration_ms: float | None) -> ExecutionFailed:
    return ExecutionFailed(failure=build.FAILURE, duration_ms=duration_ms, spend=LmSpend())


def an_end(chance: random.Random) -> Sequence[Event]:
    """What becomes of an execution that a worker took."""
    duration_ms = chance.choice([1.5, 7.25, chance.uniform(10, 5000)])
    match chance.randrange(10):
        case 0:
            return ()
        case 1:
            return (ExecutionCancelled(reason="Enough."),)
        case 2 | 3:
            return (failed(duration_ms),)
        case 4:
            return (failed(None),)
        case _:
            return (build.execution_completed(duration_ms=duration_ms),)


def a_call(chance: random.Random) -> Event:
    """A call whose tokens and cost are sometimes unknown."""
    usage = LmUsage(total_tokens=chance.choice([None, *range(1, 400)]))
    cost = chance.choice([None, *[Decimal(n) / 1_000_000 for n in range(1, 99)]])
    return ExecutionLmCalled(call=build.lm_call(f"{chance.random()}", usage=usage, cost_usd=cost))


def three_days(log: Log) -> Log:
    """200 executions of two programs, here and there, at any hour of three days."""
    chance = random.Random(9)
    begun = log.at
    for number in range(200):
        log.at = begun + timedelta(seconds=chance.randrange(3 * 86_400))
        events: list[Event] = [build.execution_requested(f"p{number % 2}")]
        if chance.randrange(8):
            events.append(ExecutionStarted(attempt=1, worker="worker-1"))
            events += [a_call(chance) for _ in range(chance.randrange(4))]
            events += an_end(chance)
        log.append(an_id(f"run {number}"), *events)
    return log


def recomputed(
    recorded: Sequence[Recorded], start: Callable[[datetime], datetime], program: str | None = None
) -> Iterator[dict[str, Any]]:
    """The same figures by brute force from *recorded*, newest first."""
    runs: dict[Any, list[Recorded]] = defaultdict(list)
    for each in recorded:
        runs[each.originator_id].append(each)
    periods: dict[datetime, list[list[Recorded]]] = defaultdict(list)
    for run in runs.values():
        first = run[0].event
        assert isinstance(first, ExecutionRequested)
        if program is None or first.program_id == an_id(program):
            periods[start(run[0].timestamp)].append(run)
    for period in sorted(periods, reverse=True):
        yield {"period": period, **figures(periods[period])}


def figures(runs: Sequence[Sequence[Recorded]]) -> Mapping[str, Any]:
    events = [[each.event for each in run] for run in runs]
    ends = [each[-1] for each in events]
    kinds = (ExecutionCompleted, ExecutionFailed, ExecutionCancelled)
    well, badly, cancelled = (sum(isinstance(end, kind) for end in ends) for kind in kinds)
    measured = (ExecutionCompleted, ExecutionFailed)
    took = sorted(e.duration_ms for e in ends if isinstance(e, measured) and e.duration_ms)
    made = [[e.call for e in each if isinstance(e, ExecutionLmCalled)] for each in events]
    tokens = [total([call.usage.total_tokens for call in calls]) for calls in made]
    costs = [total([call.cost_usd for call in calls]) for calls in made]
    return {
        "executions": len(runs),
        "completed": well,
        "failed": badly,
        "cancelled": cancelled,
        "unfinished": len(runs) - well - badly - cancelled,
        "success_rate": well / (well + badly) if well + badly else None,
        **{f"duration_p{p}_ms": ranked(took, p) for p in (50, 95, 99)},
        "total_tokens": sum(each for each in tokens if each is not None),
        "with_unknown_tokens": tokens.count(None),
        "cost_usd": sum((Decimal(each) for each in costs if each is not None), Decimal(0)),
        "with_unknown_cost": costs.count(None),
    }


def total(parts: Sequence[Any]) -> Any:
    """The sum, unknown as soon as a part is."""
    return None if None in parts else sum(parts)


def ranked(took: Sequence[float], percent: int) -> float | None:
    """The smallest that at least so many percent do not exceed."""
    return took[math.ceil(len(took) * percent / 100) - 1] if took else None


def by_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def by_day(at: datetime) -> datetime:
    return by_hour(at).replace(hour=0)


def told(scenario: ProjectionScenario, **asked: Any) -> list[dict[str, Any]]:
    """Every period, page by page."""
    found = pages(execution_periods, scenario.models.store, tenant=scenario.log.tenant, **asked)
    rows: list[ExecutionPeriod] = [row for page in found for row in page.rows]
    return [row.model_dump() for row in rows]


@pytest.mark.feature("EXE-09")
def test_exe_09_the_figures_of_each_hour_and_day_equal_a_recomputation_from_the_events(
    scenario: ProjectionScenario,
) -> None:
    log = three_days(scenario.log)
    scenario.given_log(log)
    hours = told(scenario, by="hour", limit=7)
    assert hours == list(recomputed(log.recorded, by_hour))
    assert len(hours) > 40
    days = told(scenario, by="day", limit=2)
    assert days == list(recomputed(log.recorded, by_day))
    assert sum(each["executions"] for each in days) == 200
    assert told(scenario, program_id=an_id("p1")) == list(recomputed(log.recorded, by_day, "p1"))


@pytest.mark.feature("EXE-09")
def test_exe_09_a_part_of_the_time_is_asked_for_by_its_ends(scenario: ProjectionScenario) -> None:
    log = three_days(scenario.log)
    scenario.given_log(log)
    first, *_, last = sorted(row["period"] for row in told(scenario, by="hour"))
    inside = told(scenario, by="hour", since=first + HOUR, until=last)
    wanted = [it for it in recomputed(log.recorded, by_hour) if first < it["period"] < last]
    assert inside == wanted
    assert told(scenario, since=last + 2 * HOUR) == []
