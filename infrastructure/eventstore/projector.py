"""Follows the log and keeps the read models up to date, in batches, one leader for each."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from threading import Event
from time import monotonic

import psycopg
from psycopg.errors import UndefinedTable

from infrastructure.eventstore.followers import (
    Follower,
    follow,
    is_of_event,
    is_passing,
    lose,
    reason_of,
    refuse,
)
from infrastructure.eventstore.log_reader import Item, Stretch, many_objects, read_stretch
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.projection_tables import (
    Folded,
    Packed,
    Parked,
    ProjectionTables,
)
from infrastructure.eventstore.replacing import Replacements
from projections.kernel import Projection

logger = logging.getLogger(__name__)

TRIES = 3
BEAT_S = 1.0
AGAIN_S = 5.0
"""How long a projection without tables is left alone."""
PACE_S = 0.05
"""Steps begin no closer together: under load each then folds more, for a fraction of the work."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0


@dataclass
class _Batch:
    """A stretch of the log for *followers* that are at one position, and what they make of it."""

    followers: Sequence[Follower]
    after: int
    stretch: Stretch
    items: Sequence[Item] | None = None
    packed: Sequence[Packed] | None = None

    def prepare(self, tables: ProjectionTables, mapper: EventMapper) -> None:
        """Decode and fold it, without the database; what cannot be is left for its turn."""
        with suppress(Exception):
            self.items = self.stretch.items(mapper)
            self.packed = tables.pack(
                [each.folded(self.items, self.stretch.end) for each in self.followers]
            )


class ProjectionRunner:
    """Runs *projections* on one connection of its own.

    Several runners may run the same ones: one leads each projection, the others stand by. An event
    that a projection cannot fold, three times, is parked with its reason in ``stratal.parked``, and
    the later ones of its stream with it; everything else goes on.
    """

    def __init__(
        self,
        conninfo: str,
        projections: Sequence[Projection],
        *,
        mapper: EventMapper | None = None,
        batch: int = 2000,
        poll_s: float = 0.5,
        tell_parked: Callable[[], object] | None = None,
    ) -> None:
        """Run them from where they are.

        Args:
            conninfo: The database.
            projections: What this release keeps.
            mapper: Reads the log.
            batch: Most positions of a batch.
            poll_s: How long it sleeps when nobody wakes it.
            tell_parked: Tells the log of events that were parked; repeated until it succeeds.
        """
        self._conninfo, self._projections = conninfo, projections
        self._mapper = mapper or EventMapper()
        self._batch, self._poll_s = batch, poll_s
        self._tables: ProjectionTables | None = None
        self._followers: list[Follower] = []
        self._ahead: _Batch | None = None
        self._replacements: Replacements | None = None
        self._tell_parked, self._untold = tell_parked, True
        self._last_beat = 0.0
        self._mended_s = 0.0

    def run(self, stop: Event, wake: Event) -> None:
        """Follow the log until *stop*; *wake* says that there may be more, a poll finds it anyway.

        A database that goes away is waited for; whatever else fails is tried again as well.
        """
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            begun_s = monotonic()
            try:
                more = self.step()
            except Exception as error:
                if is_passing(error):
                    logger.warning("The projector lost the database and will try again: %s", error)
                else:  # such as that an event could not even be parked
                    logger.exception("The projector failed and will try again.")
                self.close()
                stop.wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            if not more:
                wake.wait(self._poll_s)
                wake.clear()
                stop.wait(begun_s + PACE_S - monotonic())
        self.close()

    def step(self) -> bool:
        """Project one batch for each projection; whether there is more to read at once."""
        tables = self._open()
        self._stand_for_election(tables)
        running = sorted(
            (each for each in self._followers if each.failure is None), key=attrgetter("position")
        )
        more = False
        with many_objects():
            for position, group in groupby(running, key=attrgetter("position")):
                more |= self._advance(tables, position, list(group))
        self._beat(tables)
        return more

    def close(self) -> None:
        """Let go of the connection and so of every lead."""
        if self._tables is not None:
            with suppress(psycopg.Error):
                self._tables.connection.close()
        if self._replacements is not None:
            self._replacements.close()
        self._tables, self._replacements = None, None
        self._followers, self._ahead = [], None

    def _open(self) -> ProjectionTables:
        if self._tables is None:
            connection = psycopg.connect(self._conninfo, autocommit=True)
            try:
                self._tables = ProjectionTables(connection)
            except BaseException:
                connection.close()
                raise
        return self._tables

    def _stand_for_election(self, tables: ProjectionTables) -> None:
        """Lead what nobody leads, and try once in a while to make tables that are missing."""
        if monotonic() - self._mended_s > AGAIN_S:
            self._mended_s = monotonic()
            self._followers = [each for each in self._followers if not each.has_no_tables]
        led = {id(each.projection) for each in self._followers}
        others = [each for each in self._projections if id(each) not in led]
        if others:
            self._followers += [follow(tables, won) for won in tables.lead(others)]
            self._untold |= any(each.held for each in self._followers)

    def _advance(
        self, tables: ProjectionTables, position: int, followers: Sequence[Follower]
    ) -> bool:
        batch = self._prepared(tables, position, followers)
        stretch = batch.stretch
        if stretch.end > position:
            following = None if stretch.is_last else self._read(tables, stretch.end, followers)
            self._project(tables, batch, following)
        return not stretch.is_last or self._switch(tables, followers)

    def _switch(self, tables: ProjectionTables, followers: Sequence[Follower]) -> bool:
        """Have queries read those that have caught up with the log and do without no event.

        Where that replaces another version, the tables are verified first; whether that goes on.
        """
        is_unsure = False
        for follower in followers:
            if follower.live or follower.held or follower.failure is not None:
                continue
            why = self._verdict(follower) if tables.replaces(follower.projection) else ""
            if why:
                refuse(tables, follower, why)
            elif why is not None:
                follower.live = tables.go_live(follower.projection)
            is_unsure |= why is None
        return is_unsure

    def _verdict(self, follower: Follower) -> str | None:
        if self._replacements is None:
            self._replacements = Replacements(self._conninfo, self._mapper)
        return self._replacements.verdict(follower.projection)

    def _prepared(
        self, tables: ProjectionTables, position: int, followers: Sequence[Follower]
    ) -> _Batch:
        """The batch that was read ahead, if it is the one that is wanted now."""
        ahead, self._ahead = self._ahead, None
        if ahead and (ahead.after, list(ahead.followers)) == (position, list(followers)):
            return ahead
        batch = self._read(tables, position, followers)
        batch.prepare(tables, self._mapper)
        return batch

    def _read(
        self, tables: ProjectionTables, position: int, followers: Sequence[Follower]
    ) -> _Batch:
        wanted = frozenset[str]().union(*(each.topics for each in followers))
        stretch = read_stretch(tables.connection, position, self._batch, wanted)
        return _Batch(followers, position, stretch)

    def _project(self, tables: ProjectionTables, batch: _Batch, following: _Batch | None) -> None:
        """Fold *batch* into all tables at once; where that fails, each projection for itself.

        While the server writes it, *following* is prepared.
        """
        meanwhile = partial(following.prepare, tables, self._mapper) if following else None
        if batch.packed is not None:
            try:
                tables.send(batch.packed, meanwhile)
            except Exception as error:
                if is_passing(error):
                    raise
            else:
                _move(batch.followers, batch.stretch.end)
                self._ahead = following
                return
        items = batch.stretch.items(self._mapper) if batch.items is None else batch.items
        for follower in batch.followers:
            mine = [item for item in items if item.topic in follower.topics]
            self._project_alone(tables, follower, mine, batch.stretch.end)

    def _project_alone(
        self, tables: ProjectionTables, follower: Follower, items: Sequence[Item], end: int
    ) -> None:
        """Fold *items* at once, or where that fails, each half, down to the bad ones."""
        try:
            if len(items) == 1:
                self._untold |= not _folds(tables, follower, items[0], end)
            else:
                tables.write([follower.folded(items, end)])
        except Exception as error:
            if is_passing(error):
                raise
            if not is_of_event(error):
                self._open_again(tables, follower, error)
                return
            if len(items) <= 1:  # not even its parking could be written
                raise
            half = len(items) // 2
            self._project_alone(tables, follower, items[:half], items[half - 1].position)
            if follower in self._followers and follower.failure is None:
                self._project_alone(tables, follower, items[half:], end)
        else:
            follower.position = end

    def _open_again(self, tables: ProjectionTables, follower: Follower, error: Exception) -> None:
        """Take up *follower* anew: its tables are gone, or another has changed them."""
        if isinstance(error, UndefinedTable):
            lose(tables, follower, error)
        else:
            self._followers.remove(follower)

    def _beat(self, tables: ProjectionTables) -> None:
        if self._followers and monotonic() - self._last_beat > BEAT_S:
            tables.beat([each.projection for each in self._followers])
            self._last_beat = monotonic()
            self._tell()

    def _tell(self) -> None:
        if self._tell_parked is None or not self._untold:
            return
        try:
            self._tell_parked()
        except Exception:
            logger.exception("The log could not be told of parked events; that is tried again.")
        else:
            self._untold = False


def _move(followers: Sequence[Follower], end: int) -> None:
    for each in followers:
        each.position = end


def _folds(tables: ProjectionTables, follower: Follower, item: Item, end: int) -> bool:
    """Fold *item*, or park it with the reason after ``TRIES``."""
    why = ""
    for _ in range(TRIES):
        try:
            tables.write([follower.folded([item], end)])
        except Exception as error:
            if is_passing(error) or not is_of_event(error):
                raise
            why = reason_of(error)
        else:
            return True
    name = follower.projection.name
    logger.error("Projection %s parked %s at position %d: %s", name, item.topic, item.position, why)
    parked = Parked(item.position, item.stream, item.topic, why, TRIES)
    tables.write([Folded(follower.projection, (), end, [parked])])
    follower.held |= {item.stream}
    return False
