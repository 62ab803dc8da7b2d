"""Tracing over the OpenTelemetry SDK, with the traceparent carried by hand between processes."""

import atexit
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from application.tracing import Attributes
from domain.values import LmCall
from infrastructure.telemetry import genai

_PROPAGATOR = TraceContextTextMapPropagator()


class OpenSpan:
    """A span that is still open."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def answered(self, call: LmCall) -> None:
        self._span.set_attributes(genai.response_attributes(call))


class OtelTracing:
    """Spans of one process; see ``application.tracing.Tracing``."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(
        self, name: str, attributes: Attributes | None = None
    ) -> Generator[OpenSpan, None, None]:
        with self._tracer.start_as_current_span(name, attributes=attributes) as span:
            yield OpenSpan(span)

    @contextmanager
    def continued(self, traceparent: str | None, name: str) -> Generator[OpenSpan, None, None]:
        carrier = {"traceparent": traceparent} if traceparent else {}
        parent: Context = _PROPAGATOR.extract(carrier)
        with self._tracer.start_as_current_span(name, context=parent, kind=SpanKind.SERVER) as span:
            yield OpenSpan(span)

    @contextmanager
    def lm_call(self, model: str, node: str) -> Generator[OpenSpan, None, None]:
        with self._tracer.start_as_current_span(
            genai.span_name(model),
            kind=SpanKind.CLIENT,
            attributes=genai.request_attributes(model, node),
        ) as span:
            yield OpenSpan(span)

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent")


def start(service: str, exporters: Sequence[str], name: str | None) -> OtelTracing:
    """Export spans of this process until it ends; what is queued then is flushed."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": name or f"stratal-{service}"})
    )
    for exporter in exporters:
        provider.add_span_processor(_processor(exporter))
    atexit.register(provider.shutdown)
    return OtelTracing(provider.get_tracer("stratal"))


def _processor(exporter: str) -> SimpleSpanProcessor | BatchSpanProcessor:
    if exporter == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter())
    return BatchSpanProcessor(_otlp())


def _otlp() -> SpanExporter:
    # Endpoint, headers, timeout and compression come from the standard variables it reads itself.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - as above
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()
