"""Pools of connections as OpenTelemetry metrics, read when a reader collects."""

from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from infrastructure.pools import PoolState

States = Callable[[], Iterable[PoolState]]

GAUGES: Final = {
    "limit": "How many connections there may be.",
    "connections": "How many connections are open.",
    "in_use": "How many of them are lent.",
    "waiting": "How many callers want one now.",
}
COUNTERS: Final = {
    "waits": "How many callers had to wait for a connection.",
    "timeouts": "How many of them got none in time.",
}


def observe(meter: Meter, states: States) -> None:
    """Have *meter* tell of *states*: ``stratal.pool.…`` with the pool's ``kind`` and ``name``."""
    for name, description in GAUGES.items():
        read = partial(_observed, states, attrgetter(name))
        meter.create_observable_gauge(
            f"stratal.pool.{name}", [read], unit="{connection}", description=description
        )
    for name, description in COUNTERS.items():
        read = partial(_observed, states, attrgetter(name))
        meter.create_observable_counter(
            f"stratal.pool.{name}", [read], unit="{request}", description=description
        )


def _observed(
    states: States, figure: Callable[[PoolState], int], options: CallbackOptions
) -> Iterable[Observation]:
    """One figure of every pool; pools of one name are told together."""
    del options
    sums: dict[tuple[str, str], int] = {}
    for state in states():
        key = state.kind, state.name
        sums[key] = sums.get(key, 0) + figure(state)
    for (kind, name), value in sums.items():
        yield Observation(value, {"kind": kind, "name": name})
