"""The log in Postgres: one table, one global order, appended to in one round trip."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    StoredEvent,
    Subscription,
)
from psycopg import Connection, Cursor, Error
from psycopg.rows import TupleRow, tuple_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout
from uuid_utils.compat import uuid7

from application.errors import OutcomeIsUnknown, StoreIsUnavailable
from infrastructure.eventstore import statements
from infrastructure.eventstore.failures import lost, refusal, too_late
from infrastructure.eventstore.stored import LogEntry, SealedEvent

Pool = ConnectionPool[Connection[TupleRow]]
"""Its connections must be in autocommit, so that a plain append is one round trip."""


class ReceiptExists(Exception):
    """The command was carried out before; nothing was appended."""


class NameIsHeld(Exception):
    """The claimed name has another holder; nothing was appended."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes with the events into their transaction.

    ``claim`` and ``receipt`` are rows as ``stratal.append_events`` takes them. ``write`` runs
    first, on a cursor in pipeline mode: what it executes travels with the append.
    """

    claim: dict[str, str] | None = None
    receipt: dict[str, str | int] | None = None
    write: Callable[[Cursor[TupleRow]], None] | None = None


@dataclass
class PostgresRecorder(ApplicationRecorder):
    """Appends to and reads ``stratal.events``.

    ``resolve_s`` is how long it asks a database it lost what became of an append.
    """

    pool: Pool
    resolve_s: float = field(default=5.0, kw_only=True)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Append as the library has it: plain stored events get empty envelopes."""
        return self.append([_sealed(event) for event in stored_events], **kwargs)

    def append(self, events: Sequence[SealedEvent], beside: Beside = Beside()) -> Sequence[int]:
        """Append *events* and what is *beside* them, all or none, durably.

        Returns their positions. Appending the same events (by event id) again changes nothing
        and returns the same positions.

        Raises:
            IntegrityError: A stream has such a version already.
            ReceiptExists, NameIsHeld: See there.
            StoreIsUnavailable: Nothing was stored.
            OutcomeIsUnknown: The connection was lost at the commit, and the database did not come
                back within ``resolve_s``.
        """
        backend = 0
        try:
            with self.pool.connection() as connection:
                backend = connection.info.backend_pid
                return _send(connection, events, beside)
        except PoolTimeout as error:
            raise StoreIsUnavailable("no connection was free in time") from error
        except Error as error:
            return self._judge(error, backend, events)

    def positions(self, events: Sequence[SealedEvent]) -> Sequence[int]:
        """Where *events* are in the log; empty unless all of them are there."""
        with self.reading() as cursor:
            return _positions(cursor, events)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
        up_to: int | None = None,
    ) -> Sequence[LogEntry]:
        """The events of a stream, in the order of their versions; *up_to* is a position."""
        params = {
            "id": originator_id,
            "gt": gt,
            "lte": lte,
            "up_to": up_to,
            "backwards": desc,
            "limit": limit,
        }
        with self.reading() as cursor:
            cursor.execute(statements.STREAM, params, prepare=True)
            return [LogEntry(*row) for row in cursor]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
        tenant: str | None = None,
    ) -> Sequence[LogEntry]:
        after = (start or 0) - 1 if inclusive_of_start else start or 0
        with self.reading() as cursor:
            return statements.tail(cursor, after, limit, stop=stop, topics=topics, tenant=tenant)

    def max_notification_id(self) -> int | None:
        with self.reading() as cursor:
            row = cursor.execute(statements.HEAD).fetchone()
            assert row is not None
            return row[0] or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "Tail":
        return Tail(self, gt, topics)

    def _judge(self, error: Error, backend: int, events: Sequence[SealedEvent]) -> Sequence[int]:
        """Turn *error* into an answer, or raise what it means."""
        if reasons := too_late(error):
            if "receipt" in reasons[0]:
                raise ReceiptExists from error
            if "name" in reasons[0]:
                raise NameIsHeld from error
            if found := self.positions(events):
                return found
            raise IntegrityError(str(error)) from error
        if why := refusal(error):
            raise StoreIsUnavailable(why) from error
        if why := lost(error):
            return self._resolve(error, why, backend, events)
        raise error

    def _resolve(
        self, error: Error, why: str, backend: int, events: Sequence[SealedEvent]
    ) -> Sequence[int]:
        """Find out on a fresh connection what became of *events*, sent to the lost *backend*."""
        deadline = monotonic() + self.resolve_s
        pause_s = 0.01
        while monotonic() < deadline:
            try:
                with self.pool.connection(timeout=deadline - monotonic()) as connection:
                    cursor = connection.cursor(row_factory=tuple_row)
                    if not _has_ended(cursor, backend):
                        continue
                    if found := _positions(cursor, events):
                        return found
            except Error:
                sleep(min(pause_s, max(0.0, deadline - monotonic())))
                pause_s = min(pause_s * 2, 0.5)
            else:
                raise StoreIsUnavailable(why) from error
        raise OutcomeIsUnknown(why) from error

    @contextmanager
    def reading(self) -> Generator[Cursor[TupleRow], None, None]:
        try:
            with self.pool.connection() as connection:
                yield connection.cursor(row_factory=tuple_row, binary=True)
        except Error as error:
            if why := refusal(error) or lost(error):
                raise StoreIsUnavailable(why) from error
            raise


class Tail(Subscription[PostgresRecorder]):
    """Follows the log by asking again; it needs no notification to go on."""

    PAUSE_S = 0.02

    def __next__(self) -> LogEntry:
        while not self._has_been_stopped:
            found = self._recorder.select_notifications(
                self._last_notification_id, 1, topics=self._topics, inclusive_of_start=False
            )
            if found:
                self._last_notification_id = found[0].id
                return found[0]
            sleep(self.PAUSE_S)
        raise StopIteration


def _send(
    connection: Connection[TupleRow], events: Sequence[SealedEvent], beside: Beside
) -> Sequence[int]:
    cursor = connection.cursor(row_factory=tuple_row, binary=True)
    params = _params(events, beside)
    if beside.write is None:
        cursor.execute(statements.APPEND, params, prepare=True)
    else:
        # One flush carries it all, so a writer that is stopped here holds the lock only while the
        # server works. The others' rows come before the lock.
        try:
            with connection.pipeline():
                connection.execute("BEGIN")
                beside.write(connection.cursor(row_factory=tuple_row))
                cursor.execute(statements.APPEND, params, prepare=True)
                connection.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise
    row = cursor.fetchone()
    assert row is not None
    return list(range(row[0], row[0] + len(events)))


def _params(events: Sequence[SealedEvent], beside: Beside) -> Sequence[object]:
    return (
        [0] * len(events),
        [event.originator_id for event in events],
        [event.originator_version for event in events],
        [event.topic for event in events],
        [event.state for event in events],
        [event.event_id for event in events],
        [event.tenant for event in events],
        [event.metadata for event in events],
        len({event.originator_id for event in events}),
        Jsonb([{"request": 0, **beside.claim}]) if beside.claim else None,
        Jsonb([{"request": 0, "place": len(events), **beside.receipt}]) if beside.receipt else None,
        _announcement(events),
    )


def _announcement(events: Sequence[SealedEvent]) -> str:
    """The last topic of each stream, as far as a notification has room for it."""
    last = {event.originator_id: event.topic for event in events}
    words, room = "", 7850
    for stream, topic in last.items():
        word = f" {stream}:{topic}"
        if len(word) > room:
            break
        words, room = words + word, room - len(word)
    return words


def _has_ended(cursor: Cursor[TupleRow], backend: int) -> bool:
    """Whether a session of ours is gone; it is ended first, so that nothing commits later."""
    cursor.execute(statements.END_SESSION, (backend,))
    return all(ended for (ended,) in cursor.fetchall())


def _positions(cursor: Cursor[TupleRow], events: Sequence[SealedEvent]) -> Sequence[int]:
    asked = zip(*((e.originator_id, e.originator_version, e.event_id) for e in events), strict=True)
    cursor.execute(statements.POSITIONS, [list(column) for column in asked] or [[], [], []])
    found = [position for (position,) in cursor.fetchall()]
    return found if len(found) == len(events) else []


def _sealed(event: StoredEvent) -> SealedEvent:
    if isinstance(event, SealedEvent):
        return event
    return SealedEvent(
        event.originator_id,
        event.originator_version,
        event.topic,
        event.state,
        event_id=uuid7(),
        tenant="",
        metadata="{}",
    )
