"""Issuing and revoking keys: each command, and beneath it its handler."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field

from application.authorization import Permission
from application.commands import Command, handles
from application.ports import Clock, Receipt, Repository
from application.reasons import NO_REASON
from domain.access.aggregate import LONGEST_LIFE, ApiKey
from domain.access.events import ApiKeyIssued
from domain.access.values import ActorName, Role
from domain.text import LongText
from domain.values import Digest


class IssueKey(Command):
    """Let whoever has the text behind ``digest`` act as ``name``; the text stays where it was made.

    Issued again with the same Idempotency-Key, it is the first one, whatever the text is.
    """

    key_id: UUID
    name: ActorName
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=len(Role))]
    expires_in_days: Annotated[int, Field(ge=1, le=LONGEST_LIFE.days)]
    digest: Digest

    @property
    def fingerprint(self) -> str:
        """The same for every text: each try makes a new one."""
        blank = "0" * len(self.digest)
        return super(IssueKey, self.model_copy(update={"digest": blank})).fingerprint


class RevokeKey(Command):
    key_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class KeyHandlers:
    keys: Repository[ApiKey]
    clock: Clock

    @handles(IssueKey, Permission.MANAGE_KEYS)
    def issue(self, command: IssueKey) -> Receipt:
        now = self.clock.now()
        granted = ApiKeyIssued(
            name=command.name,
            roles=command.roles,
            digest=command.digest,
            expires_at=now + timedelta(days=command.expires_in_days),
        )
        return self.keys.save(ApiKey.issue(command.key_id, granted, at=now))

    @handles(RevokeKey, Permission.MANAGE_KEYS)
    def revoke(self, command: RevokeKey) -> Receipt:
        key = self.keys.get(command.key_id)
        key.expect(command.expected_version)
        key.revoke(command.reason, at=self.clock.now())
        return self.keys.save(key)
