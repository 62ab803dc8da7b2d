"""Waits for facts by the announcements of the log, from threads and from asyncio."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

_LONGEST_WHOLE_BYTES = 7700
"""An announcement is cut below 7900 bytes; one shorter than this has lost nothing."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one append transaction said: the position it reached, and the last topic of each stream.

    ``whole`` is false when streams may have been left out.
    """

    position: int
    topics: dict[UUID, str]
    whole: bool

    @classmethod
    def parse(cls, payload: str) -> "Announcement":
        """Read ``<position> <stream_id>:<topic> …``."""
        position, *pairs = payload.split(" ")
        topics = dict(pair.split(":", 1) for pair in pairs if ":" in pair)
        whole = len(payload.encode()) < _LONGEST_WHOLE_BYTES
        return cls(int(position), {UUID(stream): topic for stream, topic in topics.items()}, whole)


class Expectation:
    """A wish to hear of a stream. Register, look whether it happened already, then wait."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self._lock = threading.Lock()
        self._happened = False
        self._wake: Callable[[], object] | None = None

    def wait(self, timeout_s: float) -> bool:
        """Block until it happened, or may have: look again. False: nothing within *timeout_s*."""
        event = threading.Event()
        with self._waking(event.set):
            event.wait(timeout_s)
            return self._take()

    async def await_(self, timeout_s: float) -> bool:
        """Like ``wait``, without blocking the event loop."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        with self._waking(lambda: loop.call_soon_threadsafe(event.set)):
            try:
                async with asyncio.timeout(timeout_s):
                    await event.wait()
            except TimeoutError:
                pass
            return self._take()

    def fulfil(self) -> None:
        """Wake whoever waits; heard before the wait, it ends the wait at once."""
        with self._lock:
            self._happened = True
            if self._wake is not None:
                self._wake()

    @contextmanager
    def _waking(self, wake: Callable[[], object]) -> Generator[None, None, None]:
        with self._lock:
            self._wake = wake
            if self._happened:
                wake()
        try:
            yield
        finally:
            with self._lock:
                self._wake = None

    def _take(self) -> bool:
        with self._lock:
            happened, self._happened = self._happened, False
        return happened


class Waiters:
    """Everybody of this process who waits for a fact; subscribe ``heard`` to the listener."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expectations: dict[UUID, list[Expectation]] = {}

    @contextmanager
    def expect(self, stream_id: UUID, topics: frozenset[str]) -> Generator[Expectation, None, None]:
        """Register for *topics* of a stream for as long as the block runs.

        Enter it before the command is sent or the state is read: what happens in between counts.
        """
        expectation = Expectation(topics)
        with self._lock:
            self._expectations.setdefault(stream_id, []).append(expectation)
        try:
            yield expectation
        finally:
            self._forget(stream_id, expectation)

    def wait(self, stream_id: UUID, topics: frozenset[str], timeout_s: float) -> bool:
        """Block until one of *topics* is appended from now on, or may have been: look again.

        What happened before the call is not seen; use ``expect`` where that matters.
        """
        with self.expect(stream_id, topics) as expectation:
            return expectation.wait(timeout_s)

    async def await_(self, stream_id: UUID, topics: frozenset[str], timeout_s: float) -> bool:
        """Like ``wait``, without blocking the event loop."""
        with self.expect(stream_id, topics) as expectation:
            return await expectation.await_(timeout_s)

    def heard(self, payload: str | None) -> None:
        """Take an announcement of the log; ``None`` wakes everybody to look again."""
        announcement = None if payload is None else Announcement.parse(payload)
        for expectation in self._concerned(announcement):
            expectation.fulfil()

    def _concerned(self, announcement: Announcement | None) -> list[Expectation]:
        with self._lock:
            if announcement is None or not announcement.whole:
                return [each for waiting in self._expectations.values() for each in waiting]
            return [
                each
                for stream_id, topic in announcement.topics.items()
                for each in self._expectations.get(stream_id, ())
                if topic in each.topics
            ]

    def _forget(self, stream_id: UUID, expectation: Expectation) -> None:
        with self._lock:
            remaining = [each for each in self._expectations[stream_id] if each is not expectation]
            if remaining:
                self._expectations[stream_id] = remaining
            else:
                del self._expectations[stream_id]
