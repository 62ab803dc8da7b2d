"""A purge of the caches of a tenant."""

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from domain.cache.events import CachePurged
from domain.kernel import Aggregate
from domain.values import Cache


class CachePurge(Aggregate[CachePurged]):
    """It happens once and at once: whatever it is about was kept before it."""

    KIND: ClassVar[str] = "cache"

    @classmethod
    def purge(
        cls,
        id: UUID,
        *,
        cache: Cache | None,
        program_id: UUID | None,
        model: str | None,
        reason: str,
        at: datetime,
    ) -> Self:
        """Serve no more what was kept of *cache*, that program and that *model*, or of all."""
        event = CachePurged(cache=cache, program_id=program_id, model=model, reason=reason)
        return cls.begin(id, event, at=at)

    def evolve(self, event: CachePurged) -> None:
        """Nothing follows a purge, so nothing is remembered of it."""
