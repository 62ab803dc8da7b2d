"""What model calls and runs of programs took, as the histograms of the GenAI conventions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from application.tracing import NoTracing
from domain.values import Failure
from infrastructure.pools import Pools
from infrastructure.telemetry.measured import MeasuredTracing
from infrastructure.telemetry.metrics import metered
from tests.infrastructure.telemetry.test_tracing import CALL, recording

NAMES = {
    "gen_ai.client.operation.duration": "s",
    "gen_ai.client.token.usage": "{token}",
    "gen_ai.workflow.duration": "s",
}
DOWN = Failure(code="model.unavailable", message="It is down.", retryable=True)


@contextmanager
def measuring(inner: Any) -> Iterator[tuple[MeasuredTracing, InMemoryMetricReader]]:
    reader = InMemoryMetricReader()
    provider = metered("worker", None, [reader], Pools().states)
    yield MeasuredTracing(inner, provider.get_meter("test")), reader
    provider.shutdown()


def seen(reader: InMemoryMetricReader) -> Mapping[str, Any]:
    """The histograms by their names."""
    found: Any = reader.get_metrics_data()
    return {
        metric.name: metric
        for scope in found.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name in NAMES
    }


def fails(tracing: MeasuredTracing) -> None:
    """A run whose model is down."""
    with tracing.span("program"), tracing.lm_call("local/smollm2", "classify") as span:
        span.answered(CALL.model_copy(update={"failure": DOWN, "usage": type(CALL.usage)()}))
        raise TimeoutError


@pytest.mark.feature("EXE-10")
def test_exe_10_calls_and_runs_are_measured_under_the_names_of_the_conventions() -> None:
    with measuring(NoTracing()) as (tracing, reader):
        with tracing.span("program"), tracing.lm_call("local/smollm2", "classify") as span:
            span.answered(CALL)
        with pytest.raises(TimeoutError):
            fails(tracing)
        with tracing.span("validate"), tracing.continued(None, "job"):
            assert tracing.traceparent() is None
        found = seen(reader)
    assert {name: each.unit for name, each in found.items()} == NAMES
    well, badly = found["gen_ai.client.operation.duration"].data.data_points
    assert dict(well.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "local",
        "gen_ai.request.model": "local/smollm2",
        "gen_ai.response.model": "smollm2",
    }
    assert (well.count, well.sum) == (1, 0.004)
    assert badly.attributes["error.type"] == "model.unavailable"
    tokens = found["gen_ai.client.token.usage"].data.data_points
    assert {it.attributes["gen_ai.token.type"]: it.sum for it in tokens} == {
        "input": 12,
        "output": 3,
    }, "what the provider did not count is not measured as 0"
    runs = found["gen_ai.workflow.duration"].data.data_points
    assert [(it.attributes.get("error.type"), it.count) for it in runs] == [
        (None, 1),
        ("TimeoutError", 1),
    ]


def test_spans_are_what_they_are_without_it() -> None:
    inner, exporter = recording()
    with measuring(inner) as (tracing, _), tracing.span("program"):
        with tracing.lm_call("local/smollm2", "classify") as span:
            span.answered(CALL)
        assert tracing.traceparent() is not None
    assert [it.name for it in exporter.get_finished_spans()] == ["chat local/smollm2", "program"]
