"""How a key reads: whose it is, which one, 32 random bytes, and a checksum against slips."""

import hashlib
import re
from typing import Final, NamedTuple
from uuid import UUID
from zlib import crc32

SECRET_BYTES: Final = 32

_KEY: Final = re.compile(
    r"(stratal_([a-z0-9][a-z0-9_-]{0,62})_([0-9a-f]{32})_[0-9a-f]{64})([0-9a-f]{8})"
)


class Named(NamedTuple):
    """Which key a text claims to be; the digest of the whole text proves it."""

    tenant: str
    key_id: UUID
    digest: str


def written(tenant: str, key_id: UUID, secret: bytes) -> str:
    """The text of a key. It is shown once and kept by nobody here."""
    text = f"stratal_{tenant}_{key_id.hex}_{secret.hex()}"
    return text + _checksum(text)


def read(text: str) -> Named | None:
    """What *text* names; ``None`` if it is no key, or not all of one."""
    found = _KEY.fullmatch(text)
    if found is None or found[4] != _checksum(found[1]):
        return None
    return Named(found[2], UUID(hex=found[3]), digest_of(text))


def digest_of(text: str) -> str:
    """What is kept of a key. Its secret is as random as the digest, so nothing slower is needed."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(text: str) -> str:
    return f"{crc32(text.encode()):08x}"
