"""Metrics over the OpenTelemetry SDK, exported while the process lives."""

import atexit
from collections.abc import Sequence

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from application.tracing import Tracing
from infrastructure.circuits import CIRCUITS
from infrastructure.telemetry.circuits import observe_circuits
from infrastructure.telemetry.measured import MeasuredTracing
from infrastructure.telemetry.pools import States, observe


def start(
    service: str, exporters: Sequence[str], name: str | None, states: States, tracing: Tracing
) -> MeasuredTracing:
    """Export metrics of this process, once a minute unless OTEL_METRIC_EXPORT_INTERVAL says else.

    What there is at its end is flushed. The *tracing* that is returned measures what it is told.
    """
    readers = [PeriodicExportingMetricReader(_exporter(each)) for each in exporters]
    provider = metered(service, name, readers, states)
    atexit.register(provider.shutdown)
    meter = provider.get_meter("stratal")
    observe_circuits(meter, CIRCUITS.states)
    return MeasuredTracing(tracing, meter)


def metered(
    service: str, name: str | None, readers: Sequence[MetricReader], states: States
) -> MeterProvider:
    """The metrics of this process, for *readers*."""
    resource = Resource.create({"service.name": name or f"stratal-{service}"})
    provider = MeterProvider(metric_readers=readers, resource=resource)
    observe(provider.get_meter("stratal"), states)
    return provider


def _exporter(name: str) -> MetricExporter:
    if name == "console":
        return ConsoleMetricExporter()
    # Endpoint, headers, timeout and compression come from the standard variables it reads itself.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - as above
        OTLPMetricExporter,
    )

    return OTLPMetricExporter()
