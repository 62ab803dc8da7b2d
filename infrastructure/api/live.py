"""Whoever follows an execution over this process, and what was told live for them: bounded."""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Lock
from typing import Final
from uuid import UUID

from application.retelling import Live

MOST_WAITING: Final = 1_000
"""Messages for one who hardly reads, each below 8 000 bytes. What is lost is on record later."""

Read = Callable[[str], tuple[str, UUID, Live]]
"""The tenant, the execution and what is told of it, of an announcement."""


class Listening:
    """What was told of one execution since it was last taken."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._told: deque[Live] = deque(maxlen=MOST_WAITING)

    def heard(self, live: Live) -> None:
        """Keep *live* and wake who waits, from the listener's thread."""
        self._told.append(live)
        self._wake()

    def take(self) -> list[Live]:
        """All that was heard, in its order."""
        return [self._told.popleft() for _ in range(len(self._told))]


class LiveHub:
    """Who listens, by execution; subscribe ``heard`` to the listener of live announcements."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lock = Lock()
        self._listening: dict[tuple[str, UUID], tuple[Listening, ...]] = {}

    @contextmanager
    def opened(
        self, tenant: str, execution_id: UUID, wake: Callable[[], object]
    ) -> Generator[Listening, None, None]:
        """Hear of an execution of *tenant* for as long as the block runs; *wake* says so."""
        key, mine = (tenant, execution_id), Listening(wake)
        with self._lock:
            self._listening[key] = (*self._listening.get(key, ()), mine)
        try:
            yield mine
        finally:
            with self._lock:
                others = tuple(each for each in self._listening[key] if each is not mine)
                if others:
                    self._listening[key] = others
                else:
                    del self._listening[key]

    def heard(self, payload: str | None) -> None:
        """Take an announcement; ``None`` means that some may have been missed, and nothing here."""
        if payload is None or not self._listening:
            return
        tenant, execution_id, live = self._read(payload)
        for each in self._listening.get((tenant, execution_id), ()):
            each.heard(live)
