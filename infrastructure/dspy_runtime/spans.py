"""A span for each stage of a program: a predictor, and the writing and reading of its prompt."""

import contextlib
import threading
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from dspy.utils.callback import BaseCallback

from application.tracing import Span, Tracing
from infrastructure.dspy_runtime.recording import NODE_ID


class Spans(BaseCallback):  # type: ignore[misc]  # DSPy ships no types
    """Spans of what DSPy does in one run; the call of the model between them is its engine's."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._open: dict[str, ExitStack] = {}
        self._at_work: set[tuple[int, str]] = set()

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        del inputs
        if (node := getattr(instance, NODE_ID, None)) is not None:
            self._begin(call_id, self._tracing.span("predictor", {"stratal.node": node}))

    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        del outputs
        self._end(call_id, exception)

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        del instance, inputs
        self._stage(call_id, "render")

    def on_adapter_format_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        del outputs
        self._end(call_id, exception)

    def on_adapter_parse_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        del instance, inputs
        self._stage(call_id, "parse")

    def on_adapter_parse_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        del outputs
        self._end(call_id, exception)

    def _stage(self, call_id: str, name: str) -> None:
        """Open the span *name*, unless it is open: our adapters go on as those of DSPy do."""
        at_work = (threading.get_ident(), name)
        if at_work in self._at_work:
            return
        self._at_work.add(at_work)
        self._begin(call_id, self._tracing.span(name))
        self._open[call_id].callback(self._at_work.discard, at_work)

    def _begin(self, call_id: str, span: AbstractContextManager[Span]) -> None:
        stack = self._open[call_id] = ExitStack()
        stack.enter_context(span)

    def _end(self, call_id: str, exception: BaseException | None) -> None:
        if (stack := self._open.pop(call_id, None)) is None:
            return
        with contextlib.suppress(BaseException):
            if exception is None:
                stack.close()
            else:
                stack.__exit__(type(exception), exception, exception.__traceback__)
