"""Traces in the application's own words; ``infrastructure.telemetry`` speaks OpenTelemetry."""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from domain.values import LmCall

Attributes = Mapping[str, str | int | float | bool | tuple[str, ...]]


class Span(Protocol):
    def set(self, attributes: Attributes) -> None:
        """Add what became known while the span was open."""
        ...


class LmSpan(Protocol):
    def answered(self, call: LmCall) -> None:
        """Say how the call went: usage, model served, finish reason, failure."""
        ...


class Tracing(Protocol):
    """Where spans go. Opening one without an exporter costs next to nothing."""

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        """A span beneath the current one; an exception that leaves the body marks it failed."""
        ...

    def continued(self, traceparent: str | None, name: str) -> AbstractContextManager[Span]:
        """A span beneath one of another process, named by its W3C *traceparent*."""
        ...

    def lm_call(self, model: str, node: str) -> AbstractContextManager[LmSpan]:
        """A client span around one call of *model* by predictor *node*."""
        ...

    def traceparent(self) -> str | None:
        """The current span in W3C form, to be carried to another process."""
        ...


class _Silent:
    def set(self, attributes: Attributes) -> None:
        del attributes

    def answered(self, call: LmCall) -> None:
        del call


class NoTracing:
    """Tracing that is switched off."""

    def span(
        self, name: str, attributes: Attributes | None = None
    ) -> AbstractContextManager[_Silent]:
        del name, attributes
        return _silence()

    def continued(self, traceparent: str | None, name: str) -> AbstractContextManager[_Silent]:
        del traceparent, name
        return _silence()

    def lm_call(self, model: str, node: str) -> AbstractContextManager[_Silent]:
        del model, node
        return _silence()

    def traceparent(self) -> str | None:
        return None


@contextmanager
def _silence() -> Generator[_Silent, None, None]:
    yield _Silent()
