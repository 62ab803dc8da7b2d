"""What every call of a run goes through: recorded ones are answered, equal ones are made once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from application.lm_ports import CallJournal, Diverged, Missed, RunStopped, TimeIsOver
from domain.values import Digest


class Recorder:
    """The calls of one run. After a stop, every later call of any thread stops, too."""

    def __init__(
        self, journal: CallJournal, *, live: bool = True, within_s: float | None = None
    ) -> None:
        self._ends_s = None if within_s is None else time.monotonic() + within_s
        self.journal = journal
        self.live = live
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._under_way: dict[Digest, threading.Event] = {}
        self._stop: RunStopped | None = None

    def answer(self, key: Digest, make: Callable[[], Any]) -> Any:
        """What is on record for *key*, else what *make* gives; the same call is made once a time.

        Raises:
            RunStopped: The journal refused, or an earlier call stopped the run.
        """
        if (body := self.recorded(key)) is not None:
            return body
        with self._alone(key):
            return self.recorded(key) or make()

    def recorded(self, key: Digest) -> Any:
        """What is on record for *key*, if anything.

        Raises:
            RunStopped: The run was stopped, or its time is over.
        """
        if self._stop is not None:
            raise self._stop
        self.in_time()
        return self.journal.find(key)

    def in_time(self) -> None:
        """Make sure that there is time left.

        Raises:
            TimeIsOver: There is none.
        """
        if self._ends_s is not None and time.monotonic() >= self._ends_s:
            raise self.stopping(TimeIsOver())

    def within(self, ends_s: float) -> float:
        """*ends_s* on ``time.monotonic``, or when the time of the run is over if that is sooner."""
        return ends_s if self._ends_s is None else min(ends_s, self._ends_s)

    def stopping(self, stop: RunStopped) -> RunStopped:
        """Stop the run; returns the first stop there was, to be raised."""
        with self._lock:
            first = self._stop = self._stop or stop
        self.stopped.set()
        return first

    def diverged(self, what: str, missed: Missed) -> RunStopped:
        """Stop a replay because of the call *missed*; *what* made it, in words."""
        message = (
            f"{what} made a call that is not in the log (key {missed.key}). "
            "The program, DSPy or the inputs are not what they were when it was recorded."
        )
        return self.stopping(Diverged(message, missed))

    @contextmanager
    def _alone(self, key: Digest) -> Iterator[None]:
        while True:
            with self._lock:
                if (other := self._under_way.get(key)) is None:
                    mine = self._under_way[key] = threading.Event()
                    break
            other.wait()
        try:
            yield
        finally:
            with self._lock:
                del self._under_way[key]
            mine.set()
