"""Histograms of model calls and of runs of programs, taken where their spans are opened.

The names and units are those of the GenAI conventions (see ``genai``). What is measured is told of
every process that has an exporter for metrics, also where no spans are exported.
"""

import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from opentelemetry.metrics import Histogram, Meter

from application.tracing import Attributes, LmSpan, Span, Tracing
from domain.values import LmCall
from infrastructure.telemetry import genai

OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - the name of a metric
WORKFLOW_DURATION: Final = "gen_ai.workflow.duration"

PROGRAM: Final = "program"
"""The span around a run of a program."""

_SECONDS: Final = [0.01 * 2**power for power in range(14)]
_TOKENS: Final = [4.0**power for power in range(14)]
"""The boundaries that the conventions ask for."""


class MeasuredTracing:
    """Tracing as *inner* does it; what its spans are about is measured besides."""

    def __init__(self, inner: Tracing, meter: Meter) -> None:
        self._inner = inner
        self._operations = _seconds(meter, OPERATION_DURATION, "How long calls of models took.")
        self._workflows = _seconds(meter, WORKFLOW_DURATION, "How long runs of programs took.")
        self._tokens = meter.create_histogram(
            TOKEN_USAGE,
            unit="{token}",
            description="How many tokens calls of models took.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        span = self._inner.span(name, attributes)
        return self._timed(span) if name == PROGRAM else span

    def continued(self, traceparent: str | None, name: str) -> AbstractContextManager[Span]:
        return self._inner.continued(traceparent, name)

    @contextmanager
    def lm_call(self, model: str, node: str) -> Generator[LmSpan, None, None]:
        with self._inner.lm_call(model, node) as span:
            yield _MeasuredCall(span, model, self._operations, self._tokens)

    def traceparent(self) -> str | None:
        return self._inner.traceparent()

    @contextmanager
    def _timed(self, inner: AbstractContextManager[Span]) -> Generator[Span, None, None]:
        began_s, told = time.monotonic(), dict[str, str]()
        try:
            with inner as span:
                yield span
        except BaseException as error:
            told[genai.ERROR_TYPE] = type(error).__qualname__
            raise
        finally:
            self._workflows.record(time.monotonic() - began_s, told)


class _MeasuredCall:
    def __init__(self, inner: LmSpan, model: str, took: Histogram, tokens: Histogram) -> None:
        self._inner, self._model, self._took, self._tokens = inner, model, took, tokens

    def answered(self, call: LmCall) -> None:
        self._inner.answered(call)
        told = genai.measured_attributes(self._model, call)
        self._took.record(call.latency_ms / 1000, told)
        counted = {"input": call.usage.prompt_tokens, "output": call.usage.completion_tokens}
        for kind, tokens in counted.items():
            if tokens is not None:
                self._tokens.record(tokens, {**told, genai.TOKEN_TYPE: kind})


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(
        name, unit="s", description=description, explicit_bucket_boundaries_advisory=_SECONDS
    )
