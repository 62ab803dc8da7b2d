"""The circuits of models as an OpenTelemetry metric, read when a reader collects."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from application.circuits import CircuitState

CircuitStates = Callable[[], Iterable[tuple[str, CircuitState]]]

CIRCUIT: Final = "stratal.model.circuit"


def observe_circuits(meter: Meter, states: CircuitStates) -> None:
    """Have *meter* tell how the circuit of each ``model`` stands: 0 closed, 1 half open, 2 open."""
    meter.create_observable_gauge(
        CIRCUIT,
        [partial(_observed, states)],
        description="Whether a model is asked: 0 it is, 1 one call tries it, 2 it is left alone.",
    )


def _observed(states: CircuitStates, options: CallbackOptions) -> Iterable[Observation]:
    """The worst circuit of every model: a tenant's provider may be another server of that name."""
    del options
    worst: dict[str, int] = {}
    for model, state in states():
        worst[model] = max(state.value, worst.get(model, 0))
    for model, value in worst.items():
        yield Observation(value, {"model": model})
