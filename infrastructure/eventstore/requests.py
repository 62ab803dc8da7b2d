"""An append on its way: what it brings, and what became of it."""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from infrastructure.eventstore.stored import SealedEvent
from infrastructure.sql import Statements

Together = Callable[[Statements, Sequence[Any]], None]
"""Writes what several appends bring besides, in their transaction."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes with the events into their transaction.

    ``claim`` and ``receipt`` are rows as ``stratal.append_events`` takes them. What ``write``
    executes travels with the append and comes first. It is called once for all appends of the
    transaction that have the same one, with the ``item`` of each.
    """

    claim: dict[str, str] | None = None
    receipt: dict[str, str | int] | None = None
    write: Together | None = None
    item: object = None


@dataclass(frozen=True, slots=True)
class TooLate:
    """Others came first: with the same ``receipt``, the same ``name``, or another ``version``."""

    reasons: Collection[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """The database said that it took nothing, and may take it later."""

    why: str
    cause: BaseException


@dataclass(frozen=True, slots=True)
class Lost:
    """Sent to *backend*, whose answer never came."""

    why: str
    cause: BaseException
    backend: int


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be carried out, now or later."""

    cause: Exception


Outcome = int | TooLate | Refused | Lost | Failed
"""The position of the first event, or why there is none."""


@dataclass(slots=True, eq=False)
class Request:
    """One caller's append. ``turn`` is let go of when it is answered or has to lead."""

    events: Sequence[SealedEvent]
    beside: Beside
    outcome: Outcome | None = None
    leads: bool = False
    is_abandoned: bool = False
    turn: "Lock | None" = None
    rivals: list["Request"] = field(default_factory=list)
    """Those who want the same and wait for what becomes of this one."""

    @property
    def tenant(self) -> str:
        if self.events:
            return self.events[0].tenant
        return str((self.beside.receipt or {}).get("tenant", ""))

    def keys(self) -> Iterator[Hashable]:
        """What no other request of its transaction may touch: a receipt, a name, streams."""
        if receipt := self.beside.receipt:
            yield "receipt", receipt["tenant"], receipt["command_id"]
        if claim := self.beside.claim:
            yield "name", claim["tenant"], claim["kind"], claim["name"]
        for event in self.events:
            yield event.originator_id

    def forestalled_by(self, other: "Request") -> TooLate | None:
        """Why this one comes too late now that *other* is stored, if it is sure that it does."""
        reasons: set[str] = set()
        mine, its = self.beside, other.beside
        if mine.receipt and its.receipt and _same(mine.receipt, its.receipt, "command_id"):
            reasons.add("receipt")
        both_claim = mine.claim and its.claim and _same(mine.claim, its.claim, "kind", "name")
        if both_claim and mine.claim != its.claim:
            reasons.add("name")
        reached = {event.originator_id: event.originator_version for event in other.events}
        if any(reached.get(e.originator_id, -1) >= e.originator_version for e in self.events):
            reasons.add("version")
        return TooLate(reasons) if reasons else None


def _same(mine: dict[str, Any], its: dict[str, Any], *names: str) -> bool:
    return all(mine[name] == its[name] for name in ("tenant", *names))
