"""Switches OpenTelemetry on when the standard environment variables ask for it.

``OTEL_TRACES_EXPORTER`` and ``OTEL_METRICS_EXPORTER`` (``otlp``, ``console`` or ``none``) and
``OTEL_EXPORTER_OTLP_ENDPOINT`` are read as the OpenTelemetry specification says; without them
nothing is imported, started or sent.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from application.tracing import NoTracing, Tracing
from infrastructure.pools import PoolState

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class ExporterIsUnknown(Exception):
    """The environment names an exporter that is not installed here."""

    code = "telemetry.unknown_exporter"

    def __init__(self, variable: str, name: str) -> None:
        super().__init__(f"{variable}={name} is not supported. Use otlp, console or none.")


def build_tracing(service: str, environment: Mapping[str, str] = os.environ) -> Tracing:
    """Tracing for one process, named ``stratal-<service>`` unless ``OTEL_SERVICE_NAME`` says else.

    Raises:
        ExporterIsUnknown: The environment asks for an exporter there is none of.
    """
    names = _exporters("TRACES", environment)
    if not names:
        return NoTracing()
    from infrastructure.telemetry.otel import start  # noqa: PLC0415 - the SDK loads only when used

    return start(service, names, environment.get("OTEL_SERVICE_NAME"))


def build_metrics(
    service: str,
    pools: Callable[[], Iterable[PoolState]],
    tracing: Tracing,
    environment: Mapping[str, str] = os.environ,
) -> Tracing:
    """Tell of one process, named as above: its *pools*, and what the returned tracing is told.

    Without an exporter that is *tracing* itself, and nothing is measured.

    Raises:
        ExporterIsUnknown: The environment asks for an exporter there is none of.
    """
    names = _exporters("METRICS", environment)
    if not names:
        return tracing
    from infrastructure.telemetry.metrics import start  # noqa: PLC0415 - as above

    return start(service, names, environment.get("OTEL_SERVICE_NAME"), pools, tracing)


def _exporters(signal: str, environment: Mapping[str, str]) -> Sequence[str]:
    """The exporters that *environment* asks for; none if it asks for nothing."""
    variable = f"OTEL_{signal}_EXPORTER"
    wanted = environment.get(variable, "").strip().lower()
    endpoints = (ENDPOINT, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    asked_for = wanted or any(environment.get(name) for name in endpoints)
    if not asked_for or wanted == "none" or environment.get("OTEL_SDK_DISABLED") == "true":
        return ()
    names = [name.strip() for name in (wanted or "otlp").split(",")]
    for name in names:
        if name not in {"otlp", "console"}:
            raise ExporterIsUnknown(variable, name)
    return names
