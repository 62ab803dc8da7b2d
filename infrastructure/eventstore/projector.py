"""Follows the log and keeps the read models up to date, in batches, one leader for each."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from threading import Event
from time import monotonic

import psycopg

from domain.kernel import Recorded
from infrastructure.eventstore import statements
from infrastructure.eventstore.failures import lost, refusal
from infrastructure.eventstore.mapper import EventMapper, UnreadableEvent
from infrastructure.eventstore.projection_tables import Folded, ProjectionTables
from infrastructure.eventstore.stored import LogEntry
from projections.kernel import Projection, Write

logger = logging.getLogger(__name__)

TRIES = 3
BEAT_S = 1.0
PACE_S = 0.05
"""Steps begin no closer together: under load each then folds more, for a fraction of the work."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0


@dataclass
class _Follower:
    """A projection that this runner leads; ``failure`` says why it goes no further."""

    projection: Projection
    position: int
    live: bool
    failure: str | None = None

    def __post_init__(self) -> None:
        self.topics = frozenset(event.TOPIC for event in self.projection.events)


@dataclass(frozen=True, slots=True)
class _Item:
    """One row of the log, decoded once for all followers; ``None`` when none of them wants it."""

    position: int
    topic: str
    recorded: Recorded | UnreadableEvent | None

    def writes_of(self, follower: _Follower) -> Iterable[Write]:
        if self.topic not in follower.topics or self.recorded is None:
            return ()
        if isinstance(self.recorded, UnreadableEvent):
            raise self.recorded
        return follower.projection.project(self.recorded)


class ProjectionRunner:
    """Runs *projections* on one connection of its own.

    Several runners may run the same ones: one leads each projection, the others stand by. A
    projection that fails at an event, three times, stops there with the reason in
    ``stratal.projections``, until a runner starts anew; the others go on.
    """

    def __init__(
        self,
        conninfo: str,
        projections: Sequence[Projection],
        *,
        mapper: EventMapper | None = None,
        batch: int = 500,
        poll_s: float = 0.5,
    ) -> None:
        self._conninfo, self._projections = conninfo, projections
        self._mapper = mapper or EventMapper()
        self._batch, self._poll_s = batch, poll_s
        self._tables: ProjectionTables | None = None
        self._followers: list[_Follower] = []
        self._last_beat = 0.0

    def run(self, stop: Event, wake: Event) -> None:
        """Follow the log until *stop*; *wake* says that there may be more, a poll finds it anyway.

        A database that goes away is waited for.
        """
        pause_s, begun_s = FIRST_PAUSE_S, 0.0
        while not stop.is_set():
            stop.wait(begun_s + PACE_S - monotonic())
            begun_s = monotonic()
            try:
                more = self.step()
            except psycopg.Error as error:
                logger.warning("The projector lost the database and will try again: %s", error)
                self.close()
                stop.wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            if not more:
                wake.wait(self._poll_s)
                wake.clear()
        self.close()

    def step(self) -> bool:
        """Project one batch for each projection; whether there is more to read at once."""
        tables = self._open()
        self._stand_for_election(tables)
        running = sorted(
            (each for each in self._followers if each.failure is None), key=attrgetter("position")
        )
        more = False
        for position, group in groupby(running, key=attrgetter("position")):
            more |= self._advance(tables, position, list(group))
        self._beat(tables)
        return more

    def close(self) -> None:
        """Let go of the connection and so of every lead."""
        if self._tables is not None:
            with suppress(psycopg.Error):
                self._tables.connection.close()
        self._tables, self._followers = None, []

    def _open(self) -> ProjectionTables:
        if self._tables is None:
            connection = psycopg.connect(self._conninfo, autocommit=True)
            self._tables = ProjectionTables(connection)
        return self._tables

    def _stand_for_election(self, tables: ProjectionTables) -> None:
        led = {id(each.projection) for each in self._followers}
        others = [each for each in self._projections if id(each) not in led]
        if others:
            self._followers += [_follow(tables, won) for won in tables.lead(others)]

    def _advance(
        self, tables: ProjectionTables, position: int, followers: Sequence[_Follower]
    ) -> bool:
        with tables.connection.cursor(binary=True) as cursor:
            entries = statements.tail(cursor, position, self._batch)
        if entries:
            wanted = frozenset[str]().union(*(each.topics for each in followers))
            _project(tables, followers, [self._decoded(entry, wanted) for entry in entries])
        full = len(entries) == self._batch
        if not full:
            _switch(tables, followers)
        return full

    def _decoded(self, entry: LogEntry, wanted: frozenset[str]) -> _Item:
        recorded: Recorded | UnreadableEvent | None = None
        if entry.topic in wanted:
            try:
                recorded = self._mapper.to_domain_event(entry)
            except UnreadableEvent as error:
                recorded = error
        return _Item(entry.id, entry.topic, recorded)

    def _beat(self, tables: ProjectionTables) -> None:
        if self._followers and monotonic() - self._last_beat > BEAT_S:
            tables.beat([each.projection for each in self._followers])
            self._last_beat = monotonic()


def _follow(tables: ProjectionTables, projection: Projection) -> _Follower:
    try:
        position, live = tables.open(projection)
    except psycopg.Error as error:
        if _is_passing(error):
            raise
        logger.exception("Projection %s has no tables", projection.name)
        return _Follower(projection, 0, live=False, failure=str(error))
    return _Follower(projection, position, live)


def _project(
    tables: ProjectionTables, followers: Sequence[_Follower], items: Sequence[_Item]
) -> None:
    """Fold *items* into all tables at once; where that fails, each projection for itself."""
    try:
        _write(tables, followers, items)
    except Exception as error:
        if _is_passing(error):
            raise
        for follower in followers:
            _project_alone(tables, follower, items)


def _project_alone(tables: ProjectionTables, follower: _Follower, items: Sequence[_Item]) -> None:
    """Fold *items* at once, or where that fails, one by one up to the bad one."""
    try:
        _write(tables, [follower], items)
    except Exception as error:
        if _is_passing(error):
            raise
        for item in items:
            if not _write_alone(tables, follower, item):
                return


def _write_alone(tables: ProjectionTables, follower: _Follower, item: _Item) -> bool:
    why = ""
    for _ in range(TRIES):
        try:
            _write(tables, [follower], [item])
        except Exception as error:
            if _is_passing(error):
                raise
            why = f"{type(error).__name__} at position {item.position} ({item.topic}): {error}"
        else:
            return True
    logger.error("Projection %s stopped: %s", follower.projection.name, why)
    tables.fail(follower.projection, why)
    follower.failure = why
    return False


def _write(
    tables: ProjectionTables, followers: Sequence[_Follower], items: Sequence[_Item]
) -> None:
    position = items[-1].position
    tables.write([Folded(each.projection, _writes(each, items), position) for each in followers])
    for each in followers:
        each.position = position


def _writes(follower: _Follower, items: Sequence[_Item]) -> list[Write]:
    return [write for item in items for write in item.writes_of(follower)]


def _switch(tables: ProjectionTables, followers: Sequence[_Follower]) -> None:
    """Have queries read those that have just caught up with the log."""
    for follower in followers:
        if not follower.live and follower.failure is None:
            follower.live = tables.go_live(follower.projection)


def _is_passing(error: Exception) -> bool:
    """Whether the database, not the event, is to blame."""
    return isinstance(error, psycopg.Error) and bool(lost(error) or refusal(error))
