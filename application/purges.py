"""Emptying the caches: the command, and beneath it its handler."""

from dataclasses import dataclass
from uuid import UUID

from application.authorization import Permission
from application.commands import Command, handles
from application.ports import Clock, Receipt, Repository
from application.reasons import NO_REASON
from domain.cache.aggregate import CachePurge
from domain.price.values import ModelName
from domain.program.aggregate import Program
from domain.text import LongText
from domain.values import Cache


class PurgeCache(Command):
    """Serve no more what was kept until now; each word that is given is one that it must fit.

    ``model`` is one that took part in an answer, as calls of it are recorded.
    """

    purge_id: UUID
    cache: Cache | None = None
    program_id: UUID | None = None
    model: ModelName | None = None
    reason: LongText = NO_REASON


@dataclass(frozen=True, slots=True)
class PurgeHandlers:
    """The rows go in the append of the fact: what is on record is what happened."""

    purges: Repository[CachePurge]
    programs: Repository[Program]
    clock: Clock

    @handles(PurgeCache, Permission.DEPLOY)
    def purge(self, command: PurgeCache) -> Receipt:
        if command.program_id is not None:
            self.programs.get(command.program_id)  # a slip of the pen is no purge
        purge = CachePurge.purge(
            command.purge_id,
            cache=command.cache,
            program_id=command.program_id,
            model=command.model,
            reason=command.reason,
            at=self.clock.now(),
        )
        return self.purges.save(purge)
