"""A projection that a runner leads: where it is, what waits, and what it makes of events."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg.errors import UndefinedTable

from domain.text import mended
from infrastructure.eventstore.failures import lost, refusal
from infrastructure.eventstore.log_reader import Item
from infrastructure.eventstore.mapper import UnreadableEvent
from infrastructure.eventstore.projection_tables import (
    CHANGED_BY_ANOTHER,
    Folded,
    Parked,
    ProjectionTables,
)
from projections.kernel import Projection, Write

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Follower:
    """``held`` are the streams behind a parked event; ``failure`` says why it goes no further."""

    projection: Projection
    position: int = 0
    live: bool = False
    held: frozenset[UUID] = frozenset()
    failure: str | None = None
    has_no_tables: bool = False
    topics: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.topics = topics_of(self.projection)

    def folded(self, items: Sequence[Item], end: int) -> Folded:
        """What it makes of *items*, up to the position *end*; some wait, nothing is parked anew.

        Raises:
            Exception: It cannot fold one of them.
        """
        mine = [item for item in items if item.topic in self.topics]
        waiting = [_behind(item) for item in mine if item.stream in self.held]
        if waiting:
            mine = [item for item in mine if item.stream not in self.held]
        return Folded(self.projection, writes_of(self.projection, mine), end, waiting)


def follow(tables: ProjectionTables, projection: Projection) -> Follower:
    """Take *projection* up where it is.

    Raises:
        psycopg.Error: The database, not the projection, is to blame.
    """
    try:
        position, live, held = tables.open(projection)
    except psycopg.Error as error:
        if is_passing(error):
            raise
        follower = Follower(projection)
        lose(tables, follower, error)
        return follower
    return Follower(projection, position, live, held)


def lose(tables: ProjectionTables, follower: Follower, error: psycopg.Error) -> None:
    """Record that *follower* has no tables; it goes no further until they are made."""
    follower.has_no_tables = True
    refuse(tables, follower, f"It has no tables: {error.diag.message_primary}")


def refuse(tables: ProjectionTables, follower: Follower, why: str) -> None:
    """Record why *follower* goes no further; a runner that starts anew begins it from nothing."""
    follower.failure = why
    logger.error("Projection %s stopped. %s", follower.projection.name, why)
    tables.fail(follower.projection, why)


def topics_of(projection: Projection) -> frozenset[str]:
    """The topics of the events it wants."""
    return frozenset(event.TOPIC for event in projection.events)


def writes_of(projection: Projection, items: Sequence[Item]) -> Sequence[Write]:
    """What *projection* makes of *items*.

    Raises:
        UnreadableEvent: This release cannot read one of them.
        Exception: It cannot fold one of them.
    """
    writes: list[Write] = []
    for item in items:
        if isinstance(item.recorded, UnreadableEvent):
            raise item.recorded
        writes += projection.project(item.recorded)
    return writes


def reason_of(error: Exception) -> str:
    """Why an event could not be folded, in one line that can be stored."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return str(mended(f"{type(error).__name__}: {said or ' '.join(str(error).split())}"))


def is_passing(error: Exception) -> bool:
    """Whether the database, not the event, is to blame."""
    return isinstance(error, psycopg.Error) and bool(lost(error) or refusal(error))


def is_of_event(error: Exception) -> bool:
    """Whether the event may be to blame, not the tables."""
    is_changed = isinstance(error, psycopg.Error) and error.sqlstate == CHANGED_BY_ANOTHER
    return not is_changed and not isinstance(error, UndefinedTable)


def _behind(item: Item) -> Parked:
    reason = "It waits for an earlier event of its stream that is parked."
    return Parked(item.position, item.stream, item.topic, reason, 0)
