"""The machine's clock and its source of ids."""

from datetime import UTC, datetime
from time import perf_counter
from uuid import UUID

from uuid_utils.compat import uuid7


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def monotonic_ms() -> float:
    """Milliseconds on a clock that never goes back, for durations."""
    return perf_counter() * 1000


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): ids made later sort later, so index pages fill in order."""
    return uuid7()
