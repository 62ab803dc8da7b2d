"""The domain's base classes: a fact, its envelope, an aggregate that is the fold of its facts.

Nothing here knows the event sourcing library: ``infrastructure.eventstore`` carries these
classes in and out of it, so a new major version of the library touches that folder alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.errors import StaleVersion


class ValueObject(BaseModel):
    """An immutable value, equal to any other with the same content."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Event(ValueObject):
    """A fact about one aggregate, named in the past tense.

    ``TOPIC`` is its stored name, ``<aggregate>.<fact>``: renaming or moving the class never
    touches history. ``VERSION`` rises with the shape; an upcaster lifts what is stored.
    """

    TOPIC: ClassVar[str]
    VERSION: ClassVar[int] = 1


def members(union: Any) -> tuple[type[Event], ...]:
    """The events of *union*; one event alone is a union, too."""
    return get_args(union) or (union,)


class Envelope(ValueObject):
    """Who made an event, by which command, because of what, within which trace."""

    event_id: UUID
    tenant: str
    actor: str
    command: str
    command_id: str
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in its envelope, as stored.

    ``timestamp`` is when it happened. ``position`` is its place in the log and ``recorded_at`` when
    it got there; both are known once it was read back.
    """

    originator_id: UUID
    originator_version: int
    event: Event
    timestamp: datetime
    envelope: Envelope
    position: int | None = None
    recorded_at: datetime | None = None


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Pending(Generic[E]):
    """An event that was decided and waits to be appended as *version* of its stream."""

    version: int
    event: E
    at: datetime


class Aggregate(ABC, Generic[E]):
    """A consistency boundary whose state is the fold of its own events.

    Decide with guards, then ``record``; ``evolve`` folds without guards.
    """

    KIND: ClassVar[str]

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        self.id = id
        self.version = 0
        self._pending: list[Pending[E]] = []

    @classmethod
    def begin(cls, id: UUID, event: E, *, at: datetime) -> Self:
        """Start a history with *event*."""
        aggregate = cls(id)
        aggregate.record(event, at=at)
        return aggregate

    @classmethod
    def fold(cls, id: UUID, history: Iterable[E]) -> Self:
        """Rebuild an aggregate from its whole *history*, oldest event first."""
        aggregate = cls(id)
        for event in history:
            aggregate._apply(event)
        return aggregate

    def record(self, event: E, *, at: datetime) -> None:
        """Decide that *event* happened at *at*, and fold it into the state."""
        self._apply(event)
        self._pending.append(Pending(self.version, event, at))

    def collect(self) -> tuple[Pending[E], ...]:
        """Hand over what was recorded since the last call, oldest first."""
        pending, self._pending = tuple(self._pending), []
        return pending

    def expect(self, version: int | None) -> None:
        """Refuse to go on unless the state is the one the caller saw.

        Raises:
            StaleVersion: Somebody changed it since; read it again. ``None`` expects nothing.
        """
        if version is not None and version != self.version:
            raise StaleVersion(self.KIND, self.id, expected=version, actual=self.version)

    def _apply(self, event: E) -> None:
        self.evolve(event)
        self.version += 1

    @abstractmethod
    def evolve(self, event: E) -> None:
        """Fold *event* into the state. It never fails, decides nothing, reads no clock."""
