"""What was read a moment ago, so that not every run reads it again."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final, Generic, TypeVar

from cachetools import TLRUCache

from application.ports import Monotonic

T = TypeVar("T")

FRESH_S: Final = 1.0
"""How long a process may not know what another one changed."""

_MOST: Final = 1000


class Fresh(Generic[T]):
    """What was read by its key, for ``FRESH_S`` seconds from when the reading began.

    Safe in threads. Of very many keys those are kept that were asked for last.
    """

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic, self._lock = monotonic, Lock()
        self._found: TLRUCache[Hashable, tuple[float, T]] = TLRUCache(
            _MOST, lambda _key, found, _now: found[0] + FRESH_S, timer=monotonic
        )
        self._changes = 0

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """What *read* gives, or gave for *key* a moment ago."""
        with self._lock:
            if (kept := self._found.get(key)) is not None:
                return kept[1]
            changes, began_s = self._changes, self._monotonic()
        value = read()
        with self._lock:
            if changes == self._changes:  # else it may be what was there before the change
                self._found[key] = began_s, value
        return value

    def forget(self, key: Hashable) -> None:
        """Read *key* anew: something changed here."""
        with self._lock:
            self._found.pop(key, None)
            self._changes += 1

    def forget_all(self) -> None:
        """Read everything anew."""
        with self._lock:
            self._found.clear()
            self._changes += 1
