"""Runs of workflows as the list has them, and those that the sweep carries on; active webhooks."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.workflow_run.events import WorkflowStepFailed
from domain.workflow_run.values import WorkflowRunStatus
from projections.webhooks import active_webhooks
from projections.workflow_runs import unfinished_runs, workflow_runs
from tests.support.projecting import ProjectionScenario
from tests.support.workflows import (
    BROKEN,
    STARTED,
    a_run_undone,
    a_run_with_all,
    a_webhook,
    begun,
    done,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
def scenario(scenario: ProjectionScenario) -> ProjectionScenario:
    """A scenario whose events happened an hour ago."""
    scenario.log.at = datetime.now(UTC) - timedelta(hours=1)
    return scenario


def test_a_list_says_how_far_each_run_is_and_what_is_the_matter(
    scenario: ProjectionScenario,
) -> None:
    going, undone, stuck = uuid4(), uuid4(), uuid4()
    scenario.given(going, STARTED, *done("first"), begun("second"))
    scenario.given(undone, *a_run_undone())
    scenario.given(stuck, *a_run_with_all()[:12])
    rows = (
        {"workflow_run_id": stuck, "status": WorkflowRunStatus.FAILED, "not_undone": ("second",)},
        {"workflow_run_id": undone, "status": WorkflowRunStatus.UNDONE, "failure": BROKEN},
        {"workflow_run_id": going, "status": WorkflowRunStatus.RUNNING, "step": "second"},
    )
    scenario.then_rows(workflow_runs, *rows)
    scenario.then_rows(workflow_runs, rows[0], status=WorkflowRunStatus.FAILED)
    scenario.then_rows(workflow_runs, *rows, workflow_id=STARTED.workflow_id)
    scenario.then_rows(workflow_runs, workflow_id=uuid4())


def test_the_sweep_finds_runs_that_may_move_and_do_not_with_their_turn(
    scenario: ProjectionScenario,
) -> None:
    still, waiting, ended = uuid4(), uuid4(), uuid4()
    scenario.given(still, STARTED, *done("first"), begun("second"))
    later = datetime.now(UTC) + timedelta(hours=1)
    failed = WorkflowStepFailed(step="first", attempt=1, failure=BROKEN, retry_at=later)
    scenario.given(waiting, STARTED, begun("first"), failed)
    scenario.given(ended, *a_run_undone())
    runs = unfinished_runs(scenario.models.store, 60)
    mine = [(run.id, run.turn) for run in runs if run.tenant == scenario.log.tenant]
    assert mine == [(still, 3)]


def test_deliveries_are_made_to_active_webhooks_from_where_they_begin(
    scenario: ProjectionScenario,
) -> None:
    active, paused, removed = uuid4(), uuid4(), uuid4()
    scenario.given(active, *a_webhook()[:1])
    scenario.given(paused, *a_webhook()[:2])
    scenario.given(removed, *a_webhook())
    found = active_webhooks(scenario.models.store)
    mine = [each for each in found if each.tenant == scenario.log.tenant]
    assert [(each.webhook_id, each.begins_after, each.topics) for each in mine] == [
        (active, 1, ("execution.*",))
    ]
