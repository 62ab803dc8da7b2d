"""Who asks, in tests: roles, and what is kept of a key."""

from datetime import timedelta
from typing import Final

from domain.access.events import ApiKeyIssued
from domain.access.values import Role
from tests.support.histories import digest_of
from tests.support.memory import NOW

EVERY_ROLE: Final = frozenset(Role)
"""For tests that are not about who may do what."""


def a_key(*roles: Role, digest: str = digest_of("key"), days: int = 90) -> ApiKeyIssued:
    """A key of Ann's, a viewer's unless *roles* say more."""
    return ApiKeyIssued(
        name="ann",
        roles=roles or (Role.VIEWER,),
        digest=digest,
        expires_at=NOW + timedelta(days=days),
    )
