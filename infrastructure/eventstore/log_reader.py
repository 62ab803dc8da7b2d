"""Reads the log by the stretch: what some topics have in it, and how far that goes."""

import gc
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow

from domain.kernel import Recorded
from infrastructure.eventstore import statements
from infrastructure.eventstore.mapper import EventMapper, UnreadableEvent
from infrastructure.eventstore.stored import LogEntry


class Item(NamedTuple):
    """An event of the log, decoded, or why it cannot be."""

    position: int
    topic: str
    stream: UUID
    recorded: Recorded | UnreadableEvent


class Stretch(NamedTuple):
    """The rows that were asked for up to the position ``end``; ``head`` is the log's last one."""

    entries: Sequence[LogEntry]
    end: int
    head: int

    @property
    def is_last(self) -> bool:
        """Whether there was nothing beyond it when it was read."""
        return self.end >= self.head

    def items(self, mapper: EventMapper) -> Sequence[Item]:
        """Its events, decoded."""
        return [decoded(mapper, entry) for entry in self.entries]


def read_stretch(
    connection: Connection[TupleRow],
    after: int,
    span: int,
    topics: Collection[str],
    *,
    stop: int | None = None,
) -> Stretch:
    """What *topics* have in the next *span* positions beyond *after*, or up to *stop*.

    Rows appear in the order of their positions, so nothing comes later to what lies below the head.
    """
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(statements.HEAD, prepare=True).fetchone()
        head: int = (row[0] or 0) if row else 0
        end = max(after, min(after + span, head if stop is None else min(stop, head)))
        entries: Sequence[LogEntry] = ()
        if end > after and topics:
            entries = statements.tail(cursor, after, span, stop=end, topics=sorted(topics))
    return Stretch(entries, end, head)


@contextmanager
def many_objects() -> Generator[None, None, None]:
    """Look for no cycles of garbage within the block.

    A batch is many objects that live until it is written. To look through them again and again for
    garbage took more time than to decode them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def decoded(mapper: EventMapper, entry: LogEntry) -> Item:
    """The event of *entry*, or why it has none."""
    assert isinstance(entry.originator_id, UUID)
    recorded: Recorded | UnreadableEvent
    try:
        recorded = mapper.to_domain_event(entry)
    except UnreadableEvent as error:
        recorded = error
    return Item(entry.id, entry.topic, entry.originator_id, recorded)
