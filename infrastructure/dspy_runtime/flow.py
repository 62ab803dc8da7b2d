"""What the source of a program calls beside DSPy: the items of a map, several at the same time."""

import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import dspy

from infrastructure.dspy_runtime.side_calls import apart


def each(body: Callable[[Any], Any], items: Iterable[Any], *, at_once: int) -> list[Any]:
    """What *body* gives for each of *items*, in their order; *at_once* run at the same time.

    There are never more at the same time than the model takes (DSPy's ``num_threads``).

    It is as if they ran one after the other: DSPy's trace, from which optimizers learn, has their
    calls in the order of the items, and of several failures the first item's is raised.
    """
    rows = list(items)
    threads = min(at_once, len(rows), dspy.settings.num_threads)
    settings = apart(len(rows))
    if threads < 2:
        return [_within(own, body, row) for own, row in zip(settings, rows, strict=True)]
    runs = [
        _Traced(partial(_within, own, body), row) for own, row in zip(settings, rows, strict=True)
    ]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(contextvars.copy_context().run, run) for run in runs]
        results: list[Any] = []
        try:
            for run, future in zip(runs, futures, strict=True):
                results.append(future.result())
                run.tell()
        except BaseException:
            # What has not begun shall cost nothing.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _within(settings: dict[str, object], body: Callable[[Any], Any], row: Any) -> Any:
    with dspy.context(**settings):
        return body(row)


class _Traced:
    """One item's run, with a trace of its own until it is its turn to be told."""

    def __init__(self, body: Callable[[Any], Any], row: Any) -> None:
        self._body, self._row = body, row
        self._told = dspy.settings.trace
        self._trace: list[Any] | None = None if self._told is None else []

    def __call__(self) -> Any:
        with dspy.context(trace=self._trace):
            return self._body(self._row)

    def tell(self) -> None:
        if self._told is not None and self._trace:
            self._told.extend(self._trace)
