"""What follows from a fact at once, in the append that stores the fact."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid5

from application.context import Context
from domain.kernel import Aggregate, Envelope

A = TypeVar("A", bound=Aggregate[Any])


@dataclass(frozen=True, slots=True)
class Reaction(Generic[A]):
    """What a command that follows from the first event that is saved decides right away.

    ``command`` is its name, and ``fingerprint`` its own.
    """

    command: str
    fingerprint: str
    decide: Callable[[A], object]

    def context(self, context: Context, cause: Envelope) -> Context:
        """*context* as it would be had the command come to a worker by its job."""
        return replace(
            context,
            command=self.command,
            command_id=str(reaction_id(cause.event_id, self.fingerprint)),
            fingerprint=None,
            causation_id=cause.event_id,
        )


def reaction_id(event_id: UUID, fingerprint: str) -> UUID:
    """The id of a command as it follows from an event; the same again for the same two."""
    return uuid5(event_id, fingerprint)
