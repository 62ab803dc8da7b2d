"""The way to a provider, which bounds what a server can do to us: time and bytes of an answer.

DSPy's own transport bounds each read alone, so a server that drips bytes would hold a caller for
ever; and it unpacks and keeps whatever comes.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from time import monotonic
from typing import Any, Final

from dspy._vendor.lm15.transports import (
    ConnectError,
    ProtocolError,
    StdlibTransport,
    TransportError,
)

from application.deadlines import ends_s
from infrastructure.pools import POOLS, PoolState

MAX_BYTES: Final = 8_000_000
"""A longer answer is given up: models say less, and it is held several times over to be read."""

_READ_BYTES: Final = 16 * 1024
"""Packed bytes that are unpacked at a time; they may become a thousand times as many."""

_LEAST_S: Final = 0.001

_AT_ONCE: Final = 0.0

MayAsk = Callable[[str, int], bool]
"""Whether all addresses of a host may be connected to."""


class AnswerIsTooLarge(ProtocolError):  # type: ignore[misc]  # DSPy ships no types
    """The server sends more than any model says."""

    def __init__(self) -> None:
        super().__init__(f"The answer has more than {MAX_BYTES} bytes; it was given up.")


class Slots:
    """Counts who has to wait for a connection, and who gets none."""

    def __init__(self, acquire: Callable[[float | None], None]) -> None:
        self._acquire, self._lock = acquire, Lock()
        self.waiting = self.waits = self.timeouts = 0

    def acquire(self, timeout: float | None = None) -> None:
        """Take the right to a connection, waiting at most *timeout* seconds for it.

        Raises:
            TransportError: There is none within that time.
        """
        try:
            self._acquire(_AT_ONCE)
        except TransportError:
            self._wait(timeout)

    def _wait(self, timeout: float | None) -> None:
        with self._lock:
            self.waiting += 1
            self.waits += 1
        try:
            self._acquire(timeout)
        except TransportError:
            with self._lock:
                self.timeouts += 1
            raise
        finally:
            with self._lock:
                self.waiting -= 1


class BoundedTransport(StdlibTransport):  # type: ignore[misc]  # as above
    """DSPy's transport, for one attempt that ends when ``ends_s`` says so.

    Whoever watches the pools of this process sees its connections, called *name*.
    """

    def __init__(
        self, *, name: str = "model", may_ask: MayAsk | None = None, **bounds: Any
    ) -> None:
        super().__init__(**bounds)
        self._may_ask = may_ask
        self._slots = Slots(self._pool.acquire_slot)
        self._pool.acquire_slot = self._slots.acquire
        self._name = name
        POOLS.watch(self, BoundedTransport.state)

    def state(self) -> PoolState | None:
        """Its connections now; ``None`` once it was closed."""
        if self._closed:
            return None
        told, slots = self.pool_stats(), self._slots
        return PoolState(
            kind="http",
            name=self._name,
            limit=self.max_connections,
            connections=told["idle"] + told["in_use"],
            in_use=told["in_use"],
            waiting=slots.waiting,
            waits=slots.waits,
            timeouts=slots.timeouts,
        )

    def stream(self, request: Any) -> Any:
        """Send *request*, and read the response as its caller asks for it."""
        request.connect_timeout = _left_s(self._connect_timeout)
        request.write_timeout = _left_s(self._write_timeout)
        return super().stream(request)

    def _open(self, parsed: Any, **options: Any) -> Any:
        if self._may_ask is not None:
            _require_allowed(self._may_ask, parsed.host, parsed.port)
        opened = super()._open(parsed, **options)
        if self._may_ask is not None and options.get("proxy") is None:
            _require_peer(self._may_ask, opened.sock, parsed.port)
        opened.sock = _Timed(opened.sock)
        return opened

    def _iter_body(self, *source: Any, **options: Any) -> Iterator[bytes]:
        taken = 0
        chunks = super()._iter_body(*source, **options)
        try:
            for chunk in chunks:
                taken += len(chunk)
                if taken > MAX_BYTES:
                    raise AnswerIsTooLarge
                yield chunk
        finally:
            chunks.close()


def _require_allowed(may_ask: MayAsk, host: str, port: int) -> None:
    if not may_ask(host, port):
        raise ConnectError(f"{host} leads to an address that providers may not have")


def _require_peer(may_ask: MayAsk, opened: Any, port: int) -> None:
    """Look at what was connected to: the name may lead elsewhere by now."""
    try:
        _require_allowed(may_ask, opened.getpeername()[0], port)
    except BaseException:
        opened.close()
        raise


class _Timed:
    """A socket of which every read ends when the call must have ended."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        self._timeout_s: float | None = None
        self.fileno, self.sendall, self.close = plain.fileno, plain.sendall, plain.close

    def settimeout(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._plain.settimeout(timeout_s)

    def recv(self, most: int) -> bytes:
        """Read some bytes, at most *most*.

        Raises:
            TimeoutError: None came in time.
        """
        if (ends := ends_s()) is not None:
            if (left_s := ends - monotonic()) <= 0:
                raise TimeoutError
            self._plain.settimeout(min(left_s, self._timeout_s or left_s))
        read: bytes = self._plain.recv(min(most, _READ_BYTES))
        return read


def _left_s(usual_s: float) -> float:
    ends = ends_s()
    return usual_s if ends is None else max(_LEAST_S, min(usual_s, ends - monotonic()))
