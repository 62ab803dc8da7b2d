"""Batches as the list has them: how far each is, what became of its rows, and which stand still."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.batch.events import BatchCancelled, BatchEstimated, BatchPaused, BatchResumed
from domain.batch.values import BatchStatus, run_of
from projections.batches import batched_rows, batches, unfinished_batches
from tests.support import histories as build
from tests.support.batches import BATCH, ESTIMATE, SPENT, a_wish, caller, tell_a_batch
from tests.support.histories import an_id, ref
from tests.support.projecting import ProjectionScenario

pytestmark = pytest.mark.postgres


@pytest.fixture
def scenario(scenario: ProjectionScenario) -> ProjectionScenario:
    """A scenario whose events happened an hour ago."""
    scenario.log.at = datetime.now(UTC) - timedelta(hours=1)
    return scenario


def unfinished(scenario: ProjectionScenario) -> list[object]:
    found = unfinished_batches(scenario.models.store, 60)
    return [each.id for each in found if each.tenant == scenario.log.tenant]


def test_a_list_says_how_far_each_batch_is(scenario: ProjectionScenario) -> None:
    tell_a_batch(scenario.log)
    scenario.given_log(scenario.log)
    done = {
        "batch_id": BATCH,
        "status": BatchStatus.COMPLETED,
        "rows": 7,
        "begun": 4,
        "completed": 1,
        "failed": 1,
        "cancelled": 1,
        "paused_because": None,
    }
    off = {"batch_id": an_id("another batch"), "cancelled_because": "Wrong file.", "begun": 0}
    varied = {
        "batch_id": an_id("counterfactual"),
        "status": BatchStatus.ESTIMATED,
        "varies_runs": True,
        "estimate": ESTIMATE,
    }
    scenario.then_rows(batches, off, done, varied)
    scenario.then_rows(batches, off, status=BatchStatus.CANCELLED)
    scenario.then_rows(batches, off, done, varied, program_id=an_id("program"))
    scenario.then_rows(batches, program_id=uuid4())


def test_rows_are_told_in_their_order_as_far_as_they_have_a_run(
    scenario: ProjectionScenario,
) -> None:
    tell_a_batch(scenario.log)
    scenario.given_log(scenario.log)
    store, tenant = scenario.models.store, scenario.log.tenant
    rows = batched_rows(store, BATCH, tenant=tenant, after=0, until=7)
    assert [(each.row, each.status) for each in rows] == [
        *((1, "completed"), (2, "failed"), (3, "cancelled"), (4, "running")),
    ]
    assert [each.execution_id for each in rows] == [run_of(BATCH, row) for row in range(1, 5)]
    assert [each.outputs is not None for each in rows] == [True, False, False, False]
    assert [each.failure is not None for each in rows] == [False, True, False, False]
    part = batched_rows(store, BATCH, tenant=tenant, after=1, until=3)
    assert [each.row for each in part] == [2, 3]


def test_a_paused_batch_says_why_until_it_goes_on(scenario: ProjectionScenario) -> None:
    batch = uuid4()
    scenario.given(batch, a_wish(), BatchPaused(failure=SPENT))
    scenario.then_rows(batches, {"status": BatchStatus.PAUSED, "paused_because": SPENT})
    scenario.given(batch, BatchResumed())
    scenario.then_rows(batches, {"status": BatchStatus.RUNNING, "paused_because": None})


def test_the_sweep_finds_batches_of_which_nothing_moves(scenario: ProjectionScenario) -> None:
    still, paused, off = uuid4(), uuid4(), uuid4()
    scenario.given(still, a_wish())
    scenario.given(paused, a_wish(), BatchPaused(failure=SPENT))
    scenario.given(off, a_wish(), BatchCancelled(reason="Enough."))
    scenario.given(uuid4(), a_wish(varies=ref("varied")), BatchEstimated(estimate=ESTIMATE))
    scenario.given(BATCH, a_wish())
    assert set(unfinished(scenario)) == {still, BATCH}
    scenario.log.at = datetime.now(UTC)
    scenario.given(run_of(BATCH, 1), build.execution_requested(caller=caller(1)))
    assert unfinished(scenario) == [still]


def test_the_sweep_finds_those_that_wait_for_their_estimate(scenario: ProjectionScenario) -> None:
    scenario.given(BATCH, a_wish(varies=ref("varied")))
    found = unfinished_batches(scenario.models.store, 60)
    told = [(it.id, it.is_estimated) for it in found if it.tenant == scenario.log.tenant]
    assert told == [(BATCH, False)]
