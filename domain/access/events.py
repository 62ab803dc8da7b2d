"""Everything that can happen to a key."""

from datetime import datetime
from typing import ClassVar

from domain.access.values import ActorName, Role
from domain.kernel import Event
from domain.values import Digest


class ApiKeyIssued(Event):
    """The key itself is nowhere: ``digest`` is what remains of it."""

    TOPIC: ClassVar[str] = "api_key.issued"

    name: ActorName
    roles: tuple[Role, ...]
    digest: Digest
    expires_at: datetime


class ApiKeyRevoked(Event):
    TOPIC: ClassVar[str] = "api_key.revoked"

    reason: str


ApiKeyEvent = ApiKeyIssued | ApiKeyRevoked
