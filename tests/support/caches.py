"""A cache without a database, held to the same contract as the real one."""

import threading
from dataclasses import dataclass, field
from uuid import UUID

from application.caching import Debt, Kept, cache_key
from application.context import current
from domain.cache.events import CachePurged
from domain.values import Cache, Digest

PROVIDER = ("dspy", "fake/model", "")

PURGES: tuple[CachePurged, ...] = (
    CachePurged(cache=Cache.ANSWERS, program_id=UUID(int=7), model="openai/gpt", reason="Old."),
    CachePurged(cache=None, program_id=None, model=None, reason="A leak."),
    CachePurged(cache=Cache.PREDICTIONS, program_id=None, model=None, reason="Old."),
)
"""A purge in each of its forms."""


@dataclass
class MemoryCache:
    """Keeps texts until ``forget``; ``in_vain`` is how many seconds somebody was waited for."""

    rows: dict[Digest, Kept] = field(default_factory=dict[Digest, Kept])
    under_way: dict[Digest, threading.Event] = field(default_factory=dict[Digest, threading.Event])
    lock: threading.RLock = field(default_factory=threading.RLock)

    def take(self, key: Digest, *, within_s: float) -> Kept | Debt | None:
        name = cache_key(PROVIDER, key)
        with self.lock:
            if name in self.rows:
                return self.rows[name]
            if (other := self.under_way.get(name)) is None:
                self.under_way[name] = threading.Event()
                return _Owed(self, name)
        other.wait(within_s / 2)
        return self.rows.get(name)

    def forget(self) -> None:
        """Have everything expire."""
        self.rows.clear()

    @property
    def owed(self) -> int:
        """How many texts are being made."""
        return len(self.under_way)


@dataclass(frozen=True)
class _Owed:
    cache: MemoryCache
    name: Digest

    def settle(self, kept: Kept | None) -> None:
        assert current().tenant, "It is settled on behalf of somebody."
        with self.cache.lock:
            if kept is not None:
                self.cache.rows[self.name] = kept
            self.cache.under_way.pop(self.name).set()
