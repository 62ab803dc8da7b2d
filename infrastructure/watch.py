"""Rings when something takes too long, and tells when even that did not end it."""

import heapq
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

logger = logging.getLogger(__name__)

GRACE_S: Final = 2.0
"""How long a block may go on after its alarm rang, before its thread counts as lost."""


@dataclass(slots=True)
class _Block:
    """One block that is watched; it is forgotten when it is next looked at after it was left."""

    ring: Callable[[], object]
    is_left: bool = False
    has_rung: bool = False


@dataclass(frozen=True, slots=True)
class _Watched:
    """The block as the context manager of whoever set the alarm."""

    block: _Block | None

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *exception: object) -> None:
        if self.block is not None:
            self.block.is_left = True
            self.block.ring = _nothing  # it may hold all of a run, and its time is far away


@dataclass(order=True, frozen=True, slots=True)
class _Due:
    at_s: float
    number: int
    block: _Block = field(compare=False)


class Watch:
    """Alarms for any number of blocks; its one thread starts with the first that has a time.

    ``on_stuck`` is called when a block is not left within *grace_s* after its alarm.
    """

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        self.on_stuck: Callable[[], object] = _nobody_cares
        self._grace_s = grace_s
        self._numbers = count()
        self._due: list[_Due] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def set(self, after_s: float | None, ring: Callable[[], object]) -> _Watched:
        """Call *ring* once if the block is not left within *after_s* seconds."""
        if after_s is None:
            return _Watched(None)
        block = _Block(ring)
        self._await(block, time.monotonic() + after_s)
        return _Watched(block)

    def _await(self, block: _Block, at_s: float) -> None:
        with self._changed:
            due = _Due(at_s, next(self._numbers), block)
            heapq.heappush(self._due, due)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
            elif self._due[0] is due:  # the thread sleeps longer than that
                self._changed.notify()

    def _run(self) -> None:
        while True:
            block = self._next()
            if block.is_left:
                continue
            if block.has_rung:
                logger.error("What should have ended %g s ago goes on.", self._grace_s)
                self.on_stuck()
                continue
            block.has_rung = True
            # Another's alarm must not wait for what this one does.
            threading.Thread(target=_rung, args=[block.ring], name="alarm", daemon=True).start()
            self._await(block, time.monotonic() + self._grace_s)

    def _next(self) -> _Block:
        with self._changed:
            while (left_s := self._left_s()) is None or left_s > 0:
                self._changed.wait(left_s)
            return heapq.heappop(self._due).block

    def _left_s(self) -> float | None:
        return self._due[0].at_s - time.monotonic() if self._due else None


def _rung(ring: Callable[[], object]) -> None:
    try:
        ring()
    except Exception:
        logger.exception("An alarm could not do what it was set for.")


def _nothing() -> None:
    """Whatever was to be done, it is too late."""


def _nobody_cares() -> None:
    """Whoever set the alarms up does not replace processes."""
