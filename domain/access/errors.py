"""What is refused about keys, and to whoever comes with one."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError, Fault, InvalidError


class InvalidKey(InvalidError):
    """Nobody can be given such a key; ``faults`` say why."""

    code: ClassVar[str] = "api_key.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This key cannot be issued: {faults[0].message}", faults)


class KeyIsRefused(DomainError):
    """Nobody can be told from what was sent, so nothing was done."""

    code: ClassVar[str] = "key.refused"


class KeyIsUnknown(KeyIsRefused):
    """The key has the right form, and is none of those that were issued here."""

    code: ClassVar[str] = "key.unknown"

    def __init__(self) -> None:
        super().__init__("No key that was issued here reads so. Ask an admin for another.")


class KeyIsExpired(KeyIsRefused):
    """The key was good until a moment that has passed."""

    code: ClassVar[str] = "key.expired"

    def __init__(self, key_id: UUID, expired_at: datetime) -> None:
        super().__init__(
            f"The key {key_id} expired at {expired_at:%Y-%m-%d %H:%M} UTC."
            " Ask an admin for another."
        )
        self.key_id = key_id


class KeyIsRevoked(KeyIsRefused):
    """Somebody took the key back."""

    code: ClassVar[str] = "key.revoked"

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"The key {key_id} was revoked. Ask an admin for another.")
        self.key_id = key_id
