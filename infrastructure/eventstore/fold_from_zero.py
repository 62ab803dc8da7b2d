"""A second fold of a projection from the beginning of the log, into tables of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from types import TracebackType
from typing import ClassVar, NamedTuple, Self
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.eventstore.comparison import Side
from infrastructure.eventstore.followers import is_passing, reason_of, topics_of, writes_of
from infrastructure.eventstore.log_reader import Item, Stretch, many_objects, read_stretch
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.projection_tables import (
    MEASURED_FROM,
    create_schema,
    drop_schema,
    lock_of,
    make_indexes_together,
    measure,
)
from infrastructure.eventstore.write_batches import Batch, WriteBatches, prepare_session, together
from projections.kernel import Projection

SPAN = 4000

Progress = Callable[[int, int], None]
"""Told of each step: the position that was reached, and the one to be reached."""


class FoldIsUnderWay(Exception):
    """Somebody else folds this projection anew at this moment; wait for that, or stop it."""

    code: ClassVar[str] = "projection.fold_under_way"

    def __init__(self, schema: str) -> None:
        super().__init__(
            f"The tables {schema} are being made by another process. Wait until it has ended."
        )


class EventCannotBeFolded(Exception):
    """A fold from the beginning met an event it cannot take; its tables were dropped."""

    code: ClassVar[str] = "projection.event_cannot_be_folded"

    def __init__(self, name: str, item: Item, why: str) -> None:
        super().__init__(
            f"{name} cannot fold the event at position {item.position} ({item.topic}): {why}. "
            "Mend the projection, then try again."
        )
        self.position = item.position
        self.in_short = (
            f"{name} cannot fold the event at position {item.position} ({item.topic}): "
            f"{why.partition(':')[0]}."
        )
        """The same without the words of the failure, which may be a tenant's."""


def without_limits(conninfo: str) -> Connection[TupleRow]:
    """A session for work that takes as long as the log is long."""
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute("SET statement_timeout TO 0")
    connection.execute("SET lock_timeout TO 0")
    return connection


Connect = Callable[[str], Connection[TupleRow]]


class _Ready(NamedTuple):
    stretch: Stretch
    items: Sequence[Item]
    batch: Batch


class FoldFromZero:
    """Folds *projection* into the schema *schema*, which lasts as long as the block or is kept.

    It begins with empty tables, whatever an earlier one left there. Streams in *without* are left
    out from their position on: what the live tables have parked.

    ``connection`` is the session that writes. A second one reads the log ahead of it, so that the
    server reads, writes and this process folds at the same time; in the end both make indexes.
    """

    connection: Connection[TupleRow]
    _reader: Connection[TupleRow]
    _batches: WriteBatches

    def __init__(
        self,
        conninfo: str,
        projection: Projection,
        schema: str,
        *,
        mapper: EventMapper | None = None,
        without: dict[UUID, int] | None = None,
        progress: Progress = lambda _position, _end: None,
        connect: Connect = without_limits,
    ) -> None:
        self.schema, self.projection, self.position = schema, projection, 0
        self._open = partial(connect, conninfo)
        self._mapper, self._progress = mapper or EventMapper(), progress
        self._without, self._topics = without or {}, topics_of(projection)
        self._measured_at = MEASURED_FROM
        self._is_kept = False
        self._sessions = ExitStack()

    def __enter__(self) -> Self:
        """Make the empty tables.

        Raises:
            FoldIsUnderWay: Somebody else fills them.
        """
        with ExitStack() as sessions:  # which close whatever fails here
            self.connection = sessions.enter_context(closing(self._open()))
            self._reader = sessions.enter_context(closing(self._open()))
            self._batches = WriteBatches(self.connection, self.schema)
            prepare_session(self.connection)
            lock = (lock_of(self.schema),)
            row = self.connection.execute("SELECT pg_try_advisory_lock(7302, %s)", lock).fetchone()
            if row != (True,):
                raise FoldIsUnderWay(self.schema)
            with self.connection.transaction():
                create_schema(self.connection, self.schema, self.projection.schema)
            self._sessions = sessions.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._sessions:
            if self.connection.closed:
                return
            if not self._is_kept:
                drop_schema(self.connection, self.schema)
            # A server that is busy frees the locks of a closed session late, and another fold may
            # follow at once.
            self.connection.execute("SELECT pg_advisory_unlock(7302, %s)", (lock_of(self.schema),))

    @property
    def side(self) -> Side:
        """Its tables, to be compared with others while it stays where it is."""
        return Side(self.connection, self.schema)

    def finish(self) -> None:
        """Make the indexes that only queries need, and have the planner know the tables."""
        make_indexes_together([self.connection, self._reader], self.schema, self.projection)
        measure(self.connection, self.schema)

    def keep(self) -> None:
        """Leave the tables where they are after the block: they have been given a new name."""
        self._is_kept = True

    def advance(self, stop: int) -> None:
        """Fold all up to the position *stop*.

        Raises:
            EventCannotBeFolded: It names the event; the rows up to some point before it are there.
        """
        with many_objects(), ThreadPoolExecutor(1, "read-ahead") as ahead:
            ready = self._ready(self._read(self.position, stop))
            coming = ahead.submit(self._read, ready.stretch.end, stop)
            while ready.stretch.end > self.position:
                following = coming.result()
                coming = ahead.submit(self._read, following.end, stop)
                ready = self._write(ready, following)
                self._progress(self.position, stop)

    def advance_within(self, stop: int) -> None:
        """The same in the transaction that is open on ``connection``."""
        ready = self._ready(self._read(self.position, stop))
        while ready.stretch.end > self.position:
            self._batches.learn(ready.batch)
            self._batches.send(ready.batch)
            self.position = ready.stretch.end
            ready = self._ready(self._read(self.position, stop))

    def _read(self, after: int, stop: int) -> Stretch:
        return read_stretch(self._reader, after, SPAN, self._topics, stop=stop)

    def _ready(self, stretch: Stretch) -> _Ready:
        items = self._items(stretch)
        try:
            return _Ready(stretch, items, self._batches.pack(writes_of(self.projection, items)))
        except Exception as error:
            raise self._blamed(items) or error from error

    def _items(self, stretch: Stretch) -> Sequence[Item]:
        items = stretch.items(self._mapper)
        if not self._without:
            return items
        return [
            item
            for item in items
            if item.position < self._without.get(item.stream, item.position + 1)
        ]

    def _write(self, ready: _Ready, following: Stretch) -> _Ready:
        """Write what is *ready*, and make *following* ready while the server works."""
        prepared: list[_Ready] = []
        try:
            self._batches.learn(ready.batch)
            with together(self.connection, partial(self._prepare, following, prepared)):
                self._batches.send(ready.batch)
        except Exception as error:
            if is_passing(error):
                raise
            raise self._blamed(ready.items) or error from error
        self.position = ready.stretch.end
        if self.position >= 2 * self._measured_at:
            measure(self.connection, self.schema)
            self._measured_at = self.position
        return prepared[0] if prepared else self._ready(following)

    def _prepare(self, stretch: Stretch, into: list[_Ready]) -> None:
        """Make *stretch* ready, without the connection, which is at work; a failure has time."""
        with suppress(Exception):
            items = self._items(stretch)
            batch = self._batches.pack(writes_of(self.projection, items))
            into.append(_Ready(stretch, items, batch))

    def _blamed(self, items: Sequence[Item]) -> EventCannotBeFolded | None:
        """The first of *items* that cannot be folded, each for itself."""
        for item in items:
            try:
                batch = self._batches.pack(writes_of(self.projection, [item]))
                self._batches.learn(batch)
                with together(self.connection):
                    self._batches.send(batch)
            except Exception as error:
                if is_passing(error):
                    raise
                return EventCannotBeFolded(self.projection.name, item, reason_of(error))
        return None
