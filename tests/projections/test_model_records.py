"""What is on record of a model, as routes ask for it: of late, of one tenant, by its name."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import LiteralString
from uuid import uuid4

import pytest

from application.context import Context, within
from application.errors import ProjectionIsLate
from application.routed import ModelRecord
from domain.execution.events import ExecutionLmCalled
from infrastructure.model_offers import ProjectedModelRecords
from projections.kernel import Projection
from tests.support import histories as build
from tests.support.histories import an_id
from tests.support.projecting import ProjectionScenario


class NotYet:
    """A store whose tables are still to be made."""

    def rows(
        self,
        sql: LiteralString,
        params: Mapping[str, object],
        *,
        of: type[Projection] | None = None,
    ) -> Sequence[Mapping[str, object]]:
        raise ProjectionIsLate(1, 0)


def context(tenant: str) -> Context:
    return Context(tenant=tenant, actor="ada", correlation_id=uuid4())


@pytest.mark.feature("RTR-02")
@pytest.mark.postgres
def test_rtr_02_calls_of_today_and_yesterday_count_with_their_failures_and_mean_latency(
    scenario: ProjectionScenario,
) -> None:
    log = scenario.log
    answered = build.lm_call("a", latency_ms=100.0)
    failed = build.lm_call("b", latency_ms=300.0, failure=build.FAILURE)
    for name, call in (("one", answered), ("two", failed)):
        scenario.given(an_id(name), build.execution_requested(), ExecutionLmCalled(call=call))
    now = log.recorded[-1].timestamp
    records = ProjectedModelRecords(scenario.models.store, lambda: now)
    with within(context(log.tenant)):
        assert records.of(build.MODEL) == ModelRecord(2, 1, 200.0)
        assert records.of("openai/other") == ModelRecord()
        later = ProjectedModelRecords(scenario.models.store, lambda: now + timedelta(days=2))
        assert later.of(build.MODEL) == ModelRecord()
    with within(context("somebody else")):
        assert records.of(build.MODEL) == ModelRecord()


def test_before_there_is_a_read_model_nothing_is_known() -> None:
    records = ProjectedModelRecords(NotYet(), lambda: build.NOW)
    with within(context("acme")):
        assert records.of("openai/gpt-4") == ModelRecord()
