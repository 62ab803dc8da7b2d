"""Jobs that are born claimed: who stores a request carries it out, and has its job from the start.

The claim commits with the job, so there is no moment in which another process could take it, and
no statement to claim it. Should this process die, its jobs are freed as any of its jobs are.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from application.commands import Command
from infrastructure.workers.table import Claim


@dataclass(slots=True)
class Birth:
    """Who has the job once it is queued, under which token; and its claim, once it was written."""

    owner: int
    token: int
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Births:
    """The commands whose jobs this process is about to queue for itself."""

    _expected: dict[Command, Birth] = field(default_factory=dict[Command, Birth])

    @contextmanager
    def expecting(self, command: Command, owner: int, token: int) -> Generator[Birth]:
        """While the body runs, a job for *command* that is queued here is claimed for *owner*."""
        birth = self._expected[command] = Birth(owner, token)
        try:
            yield birth
        finally:
            del self._expected[command]

    def born(self, command: Command, message_id: UUID, message: bytes) -> Birth | None:
        """The birth of the job that carries *command*, if it was expected; from any thread."""
        if (birth := self._expected.get(command)) is not None:
            birth.claim = Claim(message_id, birth.token, tries=0, message=message)
        return birth
