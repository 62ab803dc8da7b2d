"""The open streams of a process: bounded, woken by the log, fed from one tail, ended in time."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import ClassVar, Final, NamedTuple, Protocol

from fastapi.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from infrastructure.api.problems import EdgeError

MOST_STREAMS: Final = 100
"""Open streams of one process. Each costs a connection and some memory, and no thread."""

MOST_OF_A_TENANT: Final = 50
"""So that none keeps all others out."""

LOOK_AGAIN_S: Final = 2.0
"""An announcement can be lost with its connection; the log cannot: look there this often."""

HEARTBEAT_S: Final = 15.0
"""A stream that has nothing to tell says so: proxies cut connections that are silent for long."""

RETRY_MS: Final = 1000
"""When a client whose stream ended comes back."""

_READ_AT_ONCE: Final = 500
_TOLD_AT_ONCE: Final = 200
_KEPT: Final = 2000
_KEPT_BYTES: Final = 16 * 1024 * 1024


class Line(NamedTuple):
    """An event as a stream tells it, and whom it concerns."""

    position: int
    tenant: str
    topic: str
    text: bytes


Read = Callable[[int, int], Awaitable[Sequence[Line]]]
"""The next events of every tenant after a position, at most so many."""


class StreamsAreTooMany(EdgeError):
    """This process holds as many open streams as it may, in all or of one tenant."""

    code: ClassVar[str] = "feed.full"
    status: ClassVar[int] = 503

    def __init__(self, most: int, tenant: str | None = None) -> None:
        whose = "" if tenant is None else f" of tenant {tenant}"
        super().__init__(
            f"This process holds {most} open streams{whose}, and takes no more{whose}. Try again "
            "later, or read the feed page by page."
        )


class Follower:
    """One open stream, and the bell that wakes it."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self._loop, self._bell = asyncio.get_running_loop(), asyncio.Event()

    def ring(self) -> None:
        """Wake it, from any thread; rung before the wait, it ends the wait at once."""
        if not self._bell.is_set():
            self._loop.call_soon_threadsafe(self._bell.set)

    def listen(self) -> None:
        """Forget earlier rings. Call it before looking, so that no later one is missed."""
        self._bell.clear()

    async def wait(self, timeout_s: float) -> None:
        """Wait to be rung for, at most so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._bell.wait()
        except TimeoutError:
            pass


class Streams:
    """Who follows the log over this process; subscribe ``heard`` to the listener."""

    def __init__(
        self, most: int = MOST_STREAMS, *, most_of_a_tenant: int = MOST_OF_A_TENANT
    ) -> None:
        self.tail = Tail()
        self.is_closed = False
        self._most, self._most_of_a_tenant = most, most_of_a_tenant
        self._followers: frozenset[Follower] = frozenset()

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._followers)

    @contextmanager
    def opened(self, tenant: str) -> Generator[Follower, None, None]:
        """Take part for as long as the block runs.

        Raises:
            StreamsAreTooMany: No more may, or none of *tenant*.
        """
        if self.count >= self._most:
            raise StreamsAreTooMany(self._most)
        if sum(each.tenant == tenant for each in self._followers) >= self._most_of_a_tenant:
            raise StreamsAreTooMany(self._most_of_a_tenant, tenant)
        follower = Follower(tenant)
        self._followers |= {follower}
        try:
            yield follower
        finally:
            self._followers -= {follower}

    def heard(self, payload: str | None) -> None:
        """Take an announcement of the log, in the listener's thread."""
        del payload  # whatever was appended: the tail is read once for all
        self.tail.is_behind = True
        self._ring()

    def close(self) -> None:
        """Have every stream end: the server is about to stop."""
        self.is_closed = True
        self._ring()

    def _ring(self) -> None:
        for follower in self._followers:
            follower.ring()


class Telling(Protocol):
    """What one stream tells, and whose it is."""

    @property
    def tenant(self) -> str: ...

    def all(self, streams: Streams, follower: Follower) -> AsyncIterator[bytes]:
        """The stream, until the client goes or may not follow any more, or the server stops."""
        ...


class EventStream(EventSourceResponse):
    """A stream that counts as open from its first byte to its last."""

    def __init__(self, told: Telling, streams: Streams) -> None:
        self._told, self._streams = told, streams
        super().__init__((), headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            StreamsAreTooMany: Nothing was sent.
        """
        with self._streams.opened(self._told.tenant) as follower:
            self.body_iterator = self._told.all(self._streams, follower)
            await super().__call__(scope, receive, send)


class Tail:
    """The newest events of the log, of all tenants, read once for all who are near its end."""

    def __init__(self) -> None:
        self.is_behind = True
        self._lock = asyncio.Lock()
        self._lines: list[Line] = []
        self._after = self._reached = -1
        self._read_at_s = 0.0

    async def after(self, position: int, read: Read) -> Sequence[Line] | None:
        """Some of what follows *position*; ``None`` if that is not kept: read it yourself.

        The log must have come to *position*: a tail beyond its end is of no use to the others.
        Ask again until there is nothing, then wait to be woken.
        """
        async with self._lock:
            if position > self._reached:
                self._lines, self._after, self._reached = [], position, position
                self.is_behind = True
            is_known = await self._is_extended(read)
        if not is_known or position < self._after:
            return None
        start = bisect_right(self._lines, position, key=lambda line: line.position)
        return self._lines[start : start + _TOLD_AT_ONCE]

    async def _is_extended(self, read: Read) -> bool:
        """Read on, unless nothing was heard since; ``False`` if the log could not be read.

        What one tenant's reader cannot read must not stop the others, so each then reads alone.
        """
        if not self.is_behind and monotonic() < self._read_at_s + LOOK_AGAIN_S / 2:
            return True
        self.is_behind, self._read_at_s = False, monotonic()
        try:
            found = await read(self._reached, _READ_AT_ONCE)
        except Exception:  # noqa: BLE001 - whoever reads alone then meets the error again
            self.is_behind = True
            return False
        except BaseException:  # it left, and what it read is lost: let another read that again
            self.is_behind = True
            raise
        self._keep(found)
        return True

    def _keep(self, found: Sequence[Line]) -> None:
        if not found:
            return
        self._lines += found
        self._reached = found[-1].position
        self.is_behind = self.is_behind or len(found) == _READ_AT_ONCE
        self._forget()

    def _forget(self) -> None:
        """Drop the oldest lines that are too many, or too much."""
        size, dropped = sum(len(each.text) for each in self._lines), 0
        while size > _KEPT_BYTES or len(self._lines) - dropped > _KEPT:
            self._after = self._lines[dropped].position
            size -= len(self._lines[dropped].text)
            dropped += 1
        del self._lines[:dropped]
