"""The way to a provider, which bounds what a server can do to us: time and bytes of an answer.

DSPy's own transport bounds each read alone, so a server that drips bytes would hold a caller for
ever; and it unpacks and keeps whatever comes.
"""

from collections.abc import Iterator
from time import monotonic
from typing import Any, Final

from dspy._vendor.lm15.transports import ProtocolError, StdlibTransport

from application.deadlines import ends_s

MAX_BYTES: Final = 8_000_000
"""A longer answer is given up: models say less, and it is held several times over to be read."""

_READ_BYTES: Final = 16 * 1024
"""Packed bytes that are unpacked at a time; they may become a thousand times as many."""

_LEAST_S: Final = 0.001


class AnswerIsTooLarge(ProtocolError):  # type: ignore[misc]  # DSPy ships no types
    """The server sends more than any model says."""

    def __init__(self) -> None:
        super().__init__(f"The answer has more than {MAX_BYTES} bytes; it was given up.")


class BoundedTransport(StdlibTransport):  # type: ignore[misc]  # as above
    """DSPy's transport, for one attempt that ends when ``ends_s`` says so."""

    def stream(self, request: Any) -> Any:
        """Send *request*, and read the response as its caller asks for it."""
        request.connect_timeout = _left_s(self._connect_timeout)
        request.write_timeout = _left_s(self._write_timeout)
        return super().stream(request)

    def _open(self, *where: Any, **options: Any) -> Any:
        opened = super()._open(*where, **options)
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
