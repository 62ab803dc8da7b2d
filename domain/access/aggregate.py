"""A key: in whose name its bearer acts, as what, and until when."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import ClassVar, Final, Self, assert_never
from uuid import UUID

from domain.access.errors import InvalidKey, KeyIsExpired, KeyIsRevoked
from domain.access.events import ApiKeyEvent, ApiKeyIssued, ApiKeyRevoked
from domain.access.values import Role
from domain.errors import Fault
from domain.kernel import Aggregate

LONGEST_LIFE: Final = timedelta(days=365)


class ApiKey(Aggregate[ApiKeyEvent]):
    KIND: ClassVar[str] = "api_key"

    name: str
    roles: frozenset[Role]
    digest: str
    expires_at: datetime

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.is_revoked = False

    @classmethod
    def issue(cls, id: UUID, granted: ApiKeyIssued, *, at: datetime) -> Self:
        """Let whoever has the text behind the digest act as *granted* says.

        Several keys may have one name: a new one is in use before the old one is revoked.

        Raises:
            InvalidKey: It has no role, a role that nobody can be given, or no good end.
        """
        if faults := list(_faults(granted, at)):
            raise InvalidKey(faults)
        roles = tuple(sorted(set(granted.roles)))
        return cls.begin(id, granted.model_copy(update={"roles": roles}), at=at)

    def revoke(self, reason: str, *, at: datetime) -> None:
        """Take it back for good. A second time changes nothing."""
        if not self.is_revoked:
            self.record(ApiKeyRevoked(reason=reason), at=at)

    def is_opened_by(self, digest: str) -> bool:
        """Whether *digest* is that of its text; how long the answer takes tells nothing."""
        return compare_digest(self.digest, digest)

    def require_good(self, at: datetime) -> None:
        """Refuse to go on with a key that is no longer good.

        Raises:
            KeyIsRevoked, KeyIsExpired: Its bearer needs another one.
        """
        if self.is_revoked:
            raise KeyIsRevoked(self.id)
        if at >= self.expires_at:
            raise KeyIsExpired(self.id, self.expires_at)

    def evolve(self, event: ApiKeyEvent) -> None:
        match event:
            case ApiKeyIssued():
                self.name, self.roles = event.name, frozenset(event.roles)
                self.digest, self.expires_at = event.digest, event.expires_at
            case ApiKeyRevoked():
                self.is_revoked = True
            case _:
                assert_never(event)


def _faults(granted: ApiKeyIssued, at: datetime) -> Iterator[Fault]:
    if not granted.roles:
        yield Fault("/roles", "key.roles", "A key needs a role. Name one, such as viewer.")
    if Role.WORKER in granted.roles:
        message = "Only processes of the service are worker. Name another role."
        yield Fault("/roles", "key.roles", message)
    if not at < granted.expires_at <= at + LONGEST_LIFE:
        message = f"A key is good for 1 to {LONGEST_LIFE.days} days. Say how many."
        yield Fault("/expires_in_days", "key.life", message)
