"""How models fare, by the newest calls."""

from datetime import timedelta

import pytest

from domain.values import Failure, RunRef
from projections.model_health import ModelHealth, model_health
from tests.support import histories as build
from tests.support.histories import NOW, an_id
from tests.support.projecting import ProjectionScenario

pytestmark = pytest.mark.postgres

DOWN = Failure(code="model.unavailable", message="It is overloaded.", retryable=True)
OPEN = Failure(code="model.circuit_open", message="No call was made.", retryable=True)
NO = Failure(code="model.request_refused", message="It will not say.")


def health(scenario: ProjectionScenario) -> dict[str, ModelHealth]:
    since = NOW - timedelta(hours=1)
    found = model_health(scenario.models.store, tenant=scenario.log.tenant, since=since)
    return {each.model: each for each in found}


@pytest.mark.feature("LMP-24")
def test_lmp_24_each_model_is_told_by_its_newest_calls(scenario: ProjectionScenario) -> None:
    calls = [
        build.lm_call(f"{number}", model=model, failure=failure, latency_ms=latency_ms)
        for number, (model, failure, latency_ms) in enumerate(
            (
                ("again", DOWN, 900.0),
                ("again", None, 100.0),
                ("down", None, 100.0),
                ("down", DOWN, 300.0),
                ("open", DOWN, 100.0),
                ("open", OPEN, 0.0),
                ("strict", NO, 40.0),
            )
        )
    ]
    free = {"filled_by": RunRef(kind="execution", id=an_id("run"))}
    hit = build.lm_call("hit", model="cached").model_copy(update=free)
    scenario.given(an_id("run"), *build.an_execution(*calls, hit))
    found = health(scenario)
    assert {model: each.state for model, each in found.items()} == {
        "again": "answering",
        "down": "failing",
        "open": "left_alone",
        "strict": "answering",
    }
    assert (found["again"].error_rate, found["again"].median_latency_ms) == (0.5, 500.0)
    assert (found["open"].calls, found["open"].failures) == (2, 2)
    assert found["open"].last_failure == "model.circuit_open"
    assert found["open"].last_answered_at is None
    assert found["strict"].failures == 0
    down = found["down"]
    assert down.last_answered_at is not None
    assert down.last_failed_at is not None
    assert down.last_answered_at <= down.last_failed_at


@pytest.mark.feature("LMP-24")
def test_lmp_24_old_calls_say_nothing_of_a_model(scenario: ProjectionScenario) -> None:
    assert health(scenario) == {}
    scenario.given(an_id("run"), *build.an_execution(build.lm_call("a")))
    store, tenant = scenario.models.store, scenario.log.tenant
    since = NOW + timedelta(days=1)
    assert list(model_health(store, tenant=tenant, since=since)) == []
    assert list(model_health(store, tenant="another", since=NOW)) == []
