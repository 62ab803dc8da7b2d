"""A collector of OpenTelemetry on the loopback, for tests that follow one trace."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it was exported: ids in hexadecimal, ``service`` as the process calls itself.

    Its times are nanoseconds since 1970.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    began_ns: int
    ended_ns: int


class Collector:
    """Takes OTLP over HTTP while the ``with`` block runs."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.metrics: set[tuple[str, str, str]] = set()
        """Service, name, and what the metric is of."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def of_trace(self, trace_id: str) -> list[Seen]:
        """What has come of one trace so far."""
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _take(self, body: bytes) -> None:
        request: Any = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = _attributes(resource.resource)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_seen(span, service) for span in scope.spans]

    def _measure(self, body: bytes) -> None:
        request: Any = ExportMetricsServiceRequest.FromString(body)
        for resource in request.resource_metrics:
            service = _attributes(resource.resource)["service.name"]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = [*metric.gauge.data_points, *metric.sum.data_points]
                    self.metrics |= {
                        (service, metric.name, _attributes(point).get("kind", ""))
                        for point in points
                    }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take, measure = self._take, self._measure

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                take(body) if self.path == "/v1/traces" else measure(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        return Handler


def _attributes(told: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in told.attributes}


def _seen(span: Any, service: str) -> Seen:
    return Seen(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        service=service,
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
    )
