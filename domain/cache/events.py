"""What can happen to the caches of a tenant."""

from typing import ClassVar
from uuid import UUID

from domain.kernel import Event
from domain.values import Cache


class CachePurged(Event):
    """What was kept until then is served no more: all of it, or what each word that is set says.

    ``model`` is one that took part in an answer, as calls of it are recorded.
    """

    TOPIC: ClassVar[str] = "cache.purged"

    cache: Cache | None
    program_id: UUID | None
    model: str | None
    reason: str
