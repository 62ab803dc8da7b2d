"""The machine's clock and its source of ids."""

from base64 import b64encode
from datetime import UTC, datetime
from secrets import token_bytes
from time import perf_counter
from uuid import UUID

from uuid_utils.compat import uuid7


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def monotonic_ms() -> float:
    """Milliseconds on a clock that never goes back, for durations."""
    return perf_counter() * 1000


def new_secret() -> str:
    """A key of 256 bits that signs webhooks, as receivers are told it."""
    return f"whsec_{b64encode(token_bytes(32)).decode()}"


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): ids made later sort later, so index pages fill in order."""
    return uuid7()
