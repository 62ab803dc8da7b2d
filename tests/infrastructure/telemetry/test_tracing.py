"""Nothing is loaded without an exporter; with one, a trace crosses processes and speaks GenAI."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from application.tracing import NoTracing
from domain.values import LmCall, LmUsage, PayloadRef
from infrastructure.telemetry.otel import OtelTracing
from infrastructure.telemetry.setup import ExporterIsUnknown, build_tracing

REF = PayloadRef(digest="0" * 64, size_bytes=2)
CALL = LmCall(
    key="1" * 64,
    node="classify",
    model="local/smollm2",
    model_served="smollm2",
    request=REF,
    response=REF,
    usage=LmUsage(prompt_tokens=12, completion_tokens=3),
    latency_ms=4,
    finish_reason="stop",
)


def recording() -> tuple[OtelTracing, InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OtelTracing(provider.get_tracer("test")), exporter


def test_without_variables_no_sdk_is_imported() -> None:
    code = (
        "import sys; from infrastructure.telemetry.setup import build_tracing;"
        "build_tracing('api', {});"
        "sys.exit('opentelemetry.sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_tracing_is_off_unless_asked_for(environment: dict[str, str]) -> None:
    assert isinstance(build_tracing("api", environment), NoTracing)


def test_an_unknown_exporter_is_refused_by_name() -> None:
    with pytest.raises(ExporterIsUnknown, match="zipkin"):
        build_tracing("api", {"OTEL_TRACES_EXPORTER": "zipkin"})


def test_a_trace_goes_on_in_another_process() -> None:
    tracing, exporter = recording()
    with tracing.span("POST /v1/programs/{p}/execute"):
        carried = tracing.traceparent()
    with tracing.continued(carried, "actor RunExecution"):
        pass
    request, actor = exporter.get_finished_spans()

    assert actor.context is not None
    assert request.context is not None
    assert actor.context.trace_id == request.context.trace_id
    assert actor.parent is not None
    assert actor.parent.span_id == request.context.span_id


def test_an_lm_call_speaks_the_genai_conventions() -> None:
    tracing, exporter = recording()
    with tracing.lm_call("local/smollm2", "classify") as span:
        span.answered(CALL)
    [exported] = exporter.get_finished_spans()

    assert exported.name == "chat local/smollm2"
    assert exported.attributes is not None
    assert dict(exported.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "local",
        "gen_ai.request.model": "local/smollm2",
        "gen_ai.response.model": "smollm2",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "stratal.predictor": "classify",
        "stratal.attempts": 1,
        "stratal.call_key": "1" * 64,
    }


def test_a_span_left_by_an_exception_is_marked_failed() -> None:
    tracing, exporter = recording()
    with pytest.raises(RuntimeError), tracing.span("append program"):
        raise RuntimeError("no")
    [exported] = exporter.get_finished_spans()

    assert not exported.status.is_ok
