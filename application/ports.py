"""What the application needs of the world, in its own words."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from pydantic import JsonValue

from application.payloads import Payload
from application.reacting import Reaction
from domain.kernel import Aggregate
from domain.program.values import Pins
from domain.values import Digest, PayloadRef

A = TypeVar("A", bound=Aggregate[Any])


Monotonic = Callable[[], float]
"""Seconds on a clock that never goes back, such as ``time.monotonic``."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...


class Alarms(Protocol):
    """Looks after what must not take too long, from a thread of its own."""

    def set(
        self, after_s: float | None, ring: Callable[[], object]
    ) -> AbstractContextManager[None]:
        """Call *ring* once if the block is not left within *after_s* seconds.

        With ``None`` nothing is watched. A block that is not left long after that holds a thread
        for good: whoever set the alarms up is told, and has the process replaced.
        """
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a command did: which aggregate it changed, to which version, at which log position.

    ``position`` 0 means the aggregate was already so and nothing was appended. ``is_repeat`` tells
    that it is what the first command with the same key did.
    """

    id: UUID
    version: int
    position: int
    is_repeat: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that only one aggregate of the tenant may hold, taken within the append."""

    kind: str
    name: str
    holder: UUID


class Repository(Protocol[A]):
    """The history of every aggregate of one kind, seen by the tenant of the current context."""

    def get(self, id: UUID, *, version: int | None = None) -> A:
        """Rebuild an aggregate, as of *version* when given.

        Raises:
            AggregateNotFound: The tenant has no such aggregate.
        """
        ...

    def save(
        self,
        aggregate: A,
        *,
        payloads: Sequence[Payload] = (),
        claim: Claim | None = None,
        reaction: Reaction[A] | None = None,
    ) -> Receipt:
        """Append the aggregate's new events with all that belongs to them, all or none, durably.

        An aggregate without new events is left as it is. What the *reaction* to the first of them
        decides is appended with them.

        Raises:
            ConcurrentWrite: Another writer appended first; load again and decide again.
            NameIsTaken: Somebody else holds the claimed name.
        """
        ...


class Names(Protocol):
    def holder(self, kind: str, name: str) -> UUID | None:
        """Who holds *name* in the tenant of the current context."""
        ...

    def holders(self, kind: str, beginning: str) -> Sequence[UUID]:
        """Who holds the names that begin so, in the tenant of the current context, by name."""
        ...


class Pinning(Protocol):
    def pins(self) -> Pins:
        """What a version that is made now depends on: this service's adapter and libraries."""
        ...


class PayloadStore(Protocol):
    """Texts by digest, apart for each tenant."""

    def get(self, ref: PayloadRef) -> JsonValue:
        """Read a text of the current tenant.

        Raises:
            PayloadIsMissing: It was never stored, or was erased.
        """
        ...

    def several(self, refs: Sequence[PayloadRef]) -> Mapping[Digest, JsonValue]:
        """Read texts of the current tenant at once, by their digests.

        What was never stored, or was erased, is left out.
        """
        ...


class SignatureUsers(Protocol):
    def modules_of(self, signature_id: UUID) -> Sequence[str]:
        """The modules in service that were made of it, by name, in the current tenant.

        One that is made in the same moment may be missing: it goes on with the copy it froze.

        Raises:
            ProjectionIsLate: The read model has not seen the whole log; try again.
        """
        ...
