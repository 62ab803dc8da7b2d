"""The pools of connections that this process has, for whoever watches them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal, TypeVar
from weakref import WeakKeyDictionary

P = TypeVar("P")

Kind = Literal["database", "http"]


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool of connections at a moment.

    ``connections`` are open, ``in_use`` of them are lent, there may be ``limit``. ``waiting`` want
    one now. Since it began, ``waits`` had to wait for one and ``timeouts`` of these got none.
    """

    kind: Kind
    name: str
    limit: int
    connections: int
    in_use: int
    waiting: int
    waits: int
    timeouts: int


class Pools:
    """Pools that are in use: one that nobody holds any more is forgotten by itself."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._watched: WeakKeyDictionary[Any, Callable[[Any], PoolState | None]] = (
            WeakKeyDictionary()
        )

    def watch(self, pool: P, read: Callable[[P], PoolState | None]) -> None:
        """Have *pool* among the others, as *read* tells it; of one that closed it tells ``None``.

        *read* must be quick; it is called in any thread.
        """
        with self._lock:
            self._watched[pool] = read

    def states(self) -> Iterator[PoolState]:
        """What every pool is now."""
        with self._lock:
            watched = list(self._watched.items())
        for pool, read in watched:
            if (state := read(pool)) is not None:
                yield state


POOLS: Final = Pools()
"""Those of this process: each that is opened is among them."""
