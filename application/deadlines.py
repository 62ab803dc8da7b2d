"""When the call under way must have ended; whoever waits for the network asks."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_ends_s: ContextVar[float | None] = ContextVar("ends_s", default=None)


def ends_s() -> float | None:
    """When the call under way must have ended, on ``time.monotonic``; ``None`` if nobody says."""
    return _ends_s.get()


@contextmanager
def ending_at(moment_s: float) -> Generator[None, None, None]:
    """Have whatever waits within the block give up at *moment_s*."""
    token = _ends_s.set(moment_s)
    try:
        yield
    finally:
        _ends_s.reset(token)
