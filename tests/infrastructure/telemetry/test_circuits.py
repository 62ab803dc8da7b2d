"""The circuits of a process as a metric, and who is told of them."""

import gc
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from application.circuits import FAILURES, Circuit, Sign
from application.lm_ports import ModelChoice
from infrastructure.circuits import CIRCUITS, Circuits
from infrastructure.engines.native.model import ChatModel
from infrastructure.models.catalog import made_up
from infrastructure.telemetry.circuits import CIRCUIT, observe_circuits


def opened() -> Circuit:
    circuit = Circuit()
    for _ in range(FAILURES):
        with pytest.raises(OSError, match="down"), circuit.call("m", lambda _: Sign.FAILED):
            raise OSError("down")
    return circuit


def collected(circuits: Circuits) -> dict[str, int]:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    try:
        observe_circuits(provider.get_meter("stratal"), circuits.states)
        found: Any = reader.get_metrics_data()
        [metric] = found.resource_metrics[0].scope_metrics[0].metrics
        assert metric.name == CIRCUIT
        return {point.attributes["model"]: point.value for point in metric.data.data_points}
    finally:
        provider.shutdown()


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_metric_tells_which_models_are_left_alone() -> None:
    circuits, well, ill, other = Circuits(), Circuit(), opened(), Circuit()
    circuits.watch(well, "openai/well")
    circuits.watch(ill, "openai/ill")
    circuits.watch(other, "openai/ill")  # of the same name: the worst is told
    assert collected(circuits) == {"openai/well": 0, "openai/ill": 2}
    del ill
    gc.collect()
    assert collected(circuits) == {"openai/well": 0, "openai/ill": 0}


@pytest.mark.feature("LMP-24")
def test_lmp_24_every_model_that_is_ready_is_watched() -> None:
    bound, chat = made_up(), ChatModel(ModelChoice("openai/watched", api_key="sk-1"))
    told = [model for model, _ in CIRCUITS.states()]
    assert {bound.model, chat.name} <= set(told)
