"""Laws of every fold: again is once, batches do not matter, and sums agree with the events."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.evaluation.events import (
    EvaluationLmCalled,
    EvaluationRequested,
    EvaluationToolCalled,
)
from domain.execution.events import ExecutionLmCalled, ExecutionRequested, ExecutionToolCalled
from domain.optimization.events import (
    OptimizationLmCalled,
    OptimizationRequested,
    OptimizationToolCalled,
)
from domain.values import LmCall
from infrastructure.eventstore.projection_tables import enter, schema_of
from projections.audit_trail import audit
from projections.evaluations import evaluations
from projections.executions import executions
from projections.lm_usage import lm_usage, lm_usage_total
from projections.optimization_board import optimizations
from tests.support.histories import Log, spend_of
from tests.support.legal_histories import logs
from tests.support.projecting import ReadModels, for_tenant, pages, writes_of

Used = ExecutionToolCalled | OptimizationToolCalled | EvaluationToolCalled

pytestmark = pytest.mark.postgres

property_test = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@property_test
@given(log=logs())
def test_to_project_twice_is_to_project_once(models: ReadModels, log: Log) -> None:
    once, twice = _tenants()
    models.project(for_tenant(once, log.recorded))
    models.project(for_tenant(twice, log.recorded))
    models.project(for_tenant(twice, log.recorded))
    assert models.dump(twice) == models.dump(once)


@property_test
@given(log=logs(), batch=st.integers(1, 10))
def test_the_size_of_batches_does_not_matter(models: ReadModels, log: Log, batch: int) -> None:
    whole, parts = _tenants()
    models.project(for_tenant(whole, log.recorded))
    models.project(for_tenant(parts, log.recorded), batch=batch)
    assert models.dump(parts) == models.dump(whole)


@property_test
@given(log=logs())
def test_a_batch_gives_the_rows_of_its_statements_one_by_one(models: ReadModels, log: Log) -> None:
    batch, single = _tenants()
    models.project(for_tenant(batch, log.recorded))
    for projection in models.projections:
        with models.tables.connection.transaction():
            models.tables.connection.execute(enter(schema_of(projection)))
            for write in writes_of(projection, for_tenant(single, log.recorded)):
                models.tables.connection.execute(write.sql, write.params)
    assert models.dump(single) == models.dump(batch)


@property_test
@given(log=logs(), cut=st.integers(0, 40))
def test_a_prefix_that_comes_again_changes_nothing(models: ReadModels, log: Log, cut: int) -> None:
    straight, repeated = _tenants()
    models.project(for_tenant(straight, log.recorded))
    history = for_tenant(repeated, log.recorded)
    models.project(history[:cut])
    models.project(history)
    assert models.dump(repeated) == models.dump(straight)


@pytest.mark.feature("LMP-19")
@property_test
@given(log=logs())
def test_lmp_19_usage_equals_a_recomputation_from_the_events(models: ReadModels, log: Log) -> None:
    tenant, _ = _tenants()
    models.project(for_tenant(tenant, log.recorded))
    expected: dict[tuple[object, ...], list[LmCall]] = defaultdict(list)
    for key, call in _calls_made(log):
        expected[key].append(call)
    found: dict[tuple[object, ...], Any] = {
        (row.day, row.run, row.program_id, row.model, row.node, row.role): row
        for page in pages(lm_usage, models.store, tenant=tenant, limit=2)
        for row in page.rows
    }
    assert found.keys() == expected.keys()
    for key, calls in expected.items():
        _assert_sums(found[key], calls)
    everything = [call for calls in expected.values() for call in calls]
    _assert_sums(lm_usage_total(models.store, tenant=tenant), everything)


@property_test
@given(log=logs())
def test_the_spend_of_a_run_is_the_sum_of_its_calls(models: ReadModels, log: Log) -> None:
    tenant, _ = _tenants()
    models.project(for_tenant(tenant, log.recorded))
    calls: dict[UUID, list[LmCall]] = defaultdict(list)
    uses = Counter(each.originator_id for each in log.recorded if isinstance(each.event, Used))
    for each in log.recorded:
        if isinstance(each.event, ExecutionLmCalled | OptimizationLmCalled | EvaluationLmCalled):
            calls[each.originator_id].append(each.event.call)
    rows: list[tuple[UUID, Any]] = [
        *((row.execution_id, row) for row in executions(models.store, tenant=tenant).rows),
        *((row.optimization_id, row) for row in optimizations(models.store, tenant=tenant).rows),
        *((row.evaluation_id, row) for row in evaluations(models.store, tenant=tenant).rows),
    ]
    assert calls.keys() <= {run_id for run_id, _ in rows}
    for run_id, row in rows:
        spend = row.spend.model_dump(exclude={"cached_tokens", "reasoning_tokens"})
        assert spend == spend_of(calls[run_id]).model_dump()
        assert row.tool_calls == uses[run_id]


@property_test
@given(log=logs(), limit=st.integers(1, 5))
def test_pages_of_any_size_make_up_the_whole_list(models: ReadModels, log: Log, limit: int) -> None:
    tenant, _ = _tenants()
    models.project(for_tenant(tenant, log.recorded))
    whole = audit(models.store, tenant=tenant, limit=200)
    assert whole.next is None
    assert [row.position for row in reversed(whole.rows)] == [r.position for r in log.recorded]
    found = list(pages(audit, models.store, tenant=tenant, limit=limit))
    assert [row for page in found for row in page.rows] == list(whole.rows)
    assert [len(page.rows) for page in found[:-1]] == [limit] * (len(found) - 1)


def _tenants() -> tuple[str, str]:
    return f"tenant-{uuid4().hex}", f"tenant-{uuid4().hex}"


def _calls_made(log: Log) -> Iterator[tuple[tuple[object, ...], LmCall]]:
    """Every call under the key of the usage table that it belongs to."""
    runs: dict[UUID, tuple[str, UUID]] = {}
    for each in log.recorded:
        match each.event:
            case ExecutionRequested() | OptimizationRequested() | EvaluationRequested() as event:
                kind = event.TOPIC.partition(".")[0]
                runs[each.originator_id] = (kind, event.program_id)
            case (
                ExecutionLmCalled(call=call)
                | OptimizationLmCalled(call=call)
                | EvaluationLmCalled(call=call)
            ):
                day = each.timestamp.astimezone(UTC).date()
                yield (day, *runs[each.originator_id], call.model, call.node, call.role), call
            case _:
                pass


def _assert_sums(row: Any, calls: list[LmCall]) -> None:
    assert row.calls == len(calls)
    assert row.failed_calls == sum(call.failure is not None for call in calls)
    for name in ("prompt", "completion", "cached", "reasoning", "total"):
        counts = [getattr(call.usage, f"{name}_tokens") or 0 for call in calls]
        assert getattr(row, f"{name}_tokens") == sum(counts)
    assert row.calls_with_unknown_tokens == sum(call.usage.total_tokens is None for call in calls)
    assert row.cost_usd == sum((call.cost_usd or Decimal(0) for call in calls), Decimal(0))
    assert row.calls_with_unknown_cost == sum(call.cost_usd is None for call in calls)
    average = sum(call.latency_ms for call in calls) / len(calls) if calls else 0
    assert row.average_latency_ms == pytest.approx(average)
