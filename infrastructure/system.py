"""The machine's clock, its source of ids and secrets, and the memory that its processes hold."""

import os
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def new_secret() -> str:
    """A key of 256 bits that signs webhooks, as receivers are told it."""
    return f"whsec_{b64encode(token_bytes(32)).decode()}"


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): ids made later sort later, so index pages fill in order."""
    return uuid7()


def resident_mb(process: int | Literal["self"] = "self") -> int:
    """The memory that a *process* holds; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)
