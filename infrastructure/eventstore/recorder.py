"""The log in Postgres: one global order, appended to by one transaction at a time."""

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
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
from psycopg_pool import ConnectionPool, PoolTimeout
from uuid_utils.compat import uuid7

from application.errors import OutcomeIsUnknown, StoreIsUnavailable
from infrastructure.eventstore import statements
from infrastructure.eventstore.append_queue import AppendQueue
from infrastructure.eventstore.batches import carry
from infrastructure.eventstore.failures import lost, meaning, refusal
from infrastructure.eventstore.requests import Beside, Failed, Lost, Refused, Request, TooLate
from infrastructure.eventstore.stored import LogEntry, SealedEvent

Pool = ConnectionPool[Connection[TupleRow]]
"""Its connections must be in autocommit, so that a plain append is one round trip."""


class ReceiptExists(Exception):
    """The command was carried out before; nothing was appended."""


class NameIsHeld(Exception):
    """The claimed name has another holder; nothing was appended."""


PAUSE = 0.1
"""The share of a transaction's time that the next leader waits for those who were just answered.

They come back soon with their next append. Without it they would form two crowds, each waiting for
the other's transaction: a fifth less throughput where commits are slow.
"""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.0001, 0.001

_NOTHING = Beside()


@dataclass
class PostgresRecorder(ApplicationRecorder):
    """Appends to and reads ``stratal.events``.

    Concurrent appends share a transaction. Positions rise in the order of the commits.

    Args:
        resolve_s: How long it asks a database it lost what became of an append.
        most_waiting: How many appends may wait for the one under way.
        wait_s: How long each of them does.
    """

    pool: Pool
    resolve_s: float = field(default=5.0, kw_only=True)
    most_waiting: InitVar[int] = field(default=1000, kw_only=True)
    wait_s: InitVar[float] = field(default=5.0, kw_only=True)

    def __post_init__(self, most_waiting: int, wait_s: float) -> None:
        self._queue = AppendQueue(bound=most_waiting, wait_s=wait_s)
        self._pause_s = 0.0

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Append as the library has it: plain stored events get empty envelopes."""
        return self.append([_sealed(event) for event in stored_events], **kwargs)

    def append(self, events: Sequence[SealedEvent], beside: Beside = _NOTHING) -> Sequence[int]:
        """Append *events* and what is *beside* them, all or none, durably.

        Returns their positions. Appending the same events (by event id) again changes nothing
        and returns the same positions.

        Raises:
            IntegrityError: A stream has such a version already, or lacks the one before.
            ReceiptExists, NameIsHeld: See there.
            LogIsBusy: Too many appends wait; nothing was stored.
            StoreIsUnavailable: Nothing was stored.
            OutcomeIsUnknown: The connection was lost at the commit, and the database did not come
                back within ``resolve_s``.
        """
        request = Request(events, beside)
        try:
            self._queue.enter(request)
            if request.leads:
                self._lead(request)
        except BaseException:
            self._queue.abandon(request)
            raise
        return self._answer(request)

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
        tenant: str | None = None,
    ) -> Sequence[LogEntry]:
        """The events of a stream, in the order of their versions; *up_to* is a position.

        There are none for another *tenant* than its own. Without one it is as the session sees it.
        """
        params = {
            "id": originator_id,
            "gt": gt,
            "lte": lte,
            "up_to": up_to,
            "backwards": desc,
            "limit": limit,
            "tenant": tenant,
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

    def _lead(self, leader: Request) -> None:
        """Carry the leader's request and those that go with it, then let the next one lead."""
        batch, backend = [leader], 0
        try:
            if leader.turn is not None and self._pause_s >= SHORTEST_PAUSE_S:
                sleep(self._pause_s)
            with self.pool.connection() as connection:
                batch = self._queue.take(leader)
                backend = connection.info.backend_pid
                begun_s = monotonic()
                carry(connection, batch)
                self._pause_s = min(PAUSE * (monotonic() - begun_s), LONGEST_PAUSE_S)
        except BaseException as error:
            if isinstance(error, PoolTimeout):  # the others would wait as long, and in vain
                batch = self._queue.take(leader)
            for request in batch:
                if request.outcome is None:
                    request.outcome = meaning(error, backend)
            if not isinstance(error, Exception):
                raise
        finally:
            self._queue.leave(leader, batch)

    def _answer(self, request: Request) -> Sequence[int]:
        match request.outcome:
            case int(first):
                return [first + place for place in range(len(request.events))]
            case TooLate(reasons):
                return self._refuse(request.events, reasons)
            case Refused(why, cause):
                raise StoreIsUnavailable(why) from cause
            case Lost() as lost:
                return self._resolve(lost, request.events)
            case Failed(cause):
                raise cause
            case None:
                raise AssertionError("a request came back without an outcome")

    def _refuse(self, events: Sequence[SealedEvent], reasons: Collection[str]) -> Sequence[int]:
        """Say who came first, unless that were these events themselves."""
        if "receipt" in reasons:
            raise ReceiptExists
        if "name" in reasons:
            raise NameIsHeld
        if found := self.positions(events):
            return found
        raise IntegrityError("another writer appended to this stream first")

    def _resolve(self, lost: Lost, events: Sequence[SealedEvent]) -> Sequence[int]:
        """Find out on a fresh connection what became of *events*; of a mere receipt nobody can."""
        if not events:
            raise OutcomeIsUnknown(lost.why) from lost.cause
        deadline = monotonic() + self.resolve_s
        pause_s = 0.01
        while monotonic() < deadline:
            try:
                with self.pool.connection(timeout=deadline - monotonic()) as connection:
                    cursor = connection.cursor(row_factory=tuple_row)
                    if not _has_ended(cursor, lost.backend):
                        continue
                    if found := _positions(cursor, events):
                        return found
            except Error:
                sleep(min(pause_s, max(0.0, deadline - monotonic())))
                pause_s = min(pause_s * 2, 0.5)
            else:
                raise StoreIsUnavailable(lost.why) from lost.cause
        raise OutcomeIsUnknown(lost.why) from lost.cause

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


def _has_ended(cursor: Cursor[TupleRow], backend: int) -> bool:
    """Whether a session of ours is gone; it is ended first, so that nothing commits later."""
    cursor.execute(statements.END_SESSION, (backend,))
    return all(ended for (ended,) in cursor.fetchall())


def _positions(cursor: Cursor[TupleRow], events: Sequence[SealedEvent]) -> Sequence[int]:
    keys = [(e.originator_id, e.originator_version, e.event_id, e.tenant) for e in events]
    asked = [list(column) for column in zip(*keys, strict=True)]
    cursor.execute(statements.POSITIONS, asked or [[], [], [], []])
    found = [position for (position,) in cursor.fetchall()]
    return found if len(found) == len(events) else []


def _sealed(event: StoredEvent) -> SealedEvent:
    if isinstance(event, SealedEvent):
        return event
    assert isinstance(event.originator_id, UUID)
    return SealedEvent(
        event.originator_id,
        event.originator_version,
        event.topic,
        event.state,
        event_id=uuid7(),
        tenant="",
        metadata="{}",
    )
