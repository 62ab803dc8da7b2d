"""Sends what several requests bring as one transaction, in one round trip."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.abc import Params
from psycopg.rows import TupleRow, tuple_row
from psycopg.types.json import Jsonb

from infrastructure.eventstore import statements
from infrastructure.eventstore.arrays import bigints, byteas, integers, texts, uuids
from infrastructure.eventstore.failures import is_passing, too_late
from infrastructure.eventstore.requests import Failed, Request, Together, TooLate

_ROOM = 7850
"""Bytes of streams and topics in a notification, which Postgres takes up to 8000 bytes of."""


def carry(connection: Connection[TupleRow], batch: Sequence[Request]) -> None:
    """Append what *batch* brings, durably, each request whole or not at all.

    Those who come too late are left out, and the rest is sent again. Where it is not known whose
    fault an error is, each is sent for itself.

    Raises:
        Exception: What concerns all that have no outcome yet.
    """
    while batch:
        try:
            position = _send(connection, batch)
        except Exception as error:
            left = _without_the_late(batch, error)
            if len(left) == len(batch):
                if len(batch) == 1 or is_passing(error):
                    raise
                return _carry_singly(connection, batch)
            batch = left
        else:
            for request in batch:
                request.outcome = position
                position += len(request.events)
            return None
    return None


def _carry_singly(connection: Connection[TupleRow], batch: Sequence[Request]) -> None:
    for request in batch:
        try:
            carry(connection, [request])
        except Exception as error:
            if is_passing(error):
                raise
            request.outcome = Failed(error)


def _without_the_late(batch: Sequence[Request], error: Exception) -> Sequence[Request]:
    late = too_late(error)
    for number, reasons in late.items():
        batch[number].outcome = TooLate(reasons)
    return [request for number, request in enumerate(batch) if number not in late]


def _send(connection: Connection[TupleRow], batch: Sequence[Request]) -> int:
    """The position of the first event of *batch*; the others follow it in their order."""
    cursor = connection.cursor(row_factory=tuple_row, binary=True)
    params, beside = _params(batch), _beside(batch)
    if not beside:
        cursor.execute(statements.APPEND, params, prepare=True)
    else:
        # The lock comes last, and the commit right behind it, so a writer that is stopped here
        # holds up those who write the same rows, but not the log.
        try:
            with connection.pipeline():
                connection.execute("BEGIN")
                for query, values, prepare in beside:
                    connection.execute(query, values, prepare=prepare)
                cursor.execute(statements.APPEND, params, prepare=True)
                connection.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


class _Collected(list[tuple[LiteralString, Params | None, bool | None]]):
    """Statements, once they are known: of most appends there are none, and no transaction."""

    def execute(
        self, query: LiteralString, params: Params | None = None, *, prepare: bool | None = None
    ) -> None:
        self.append((query, params, prepare))


def _beside(batch: Sequence[Request]) -> _Collected:
    items: dict[Together, list[object]] = defaultdict(list)
    for request in batch:
        if write := request.beside.write:
            items[write].append(request.beside.item)
    collected = _Collected()
    for write, brought in items.items():
        write(collected, brought)
    return collected


def _params(batch: Sequence[Request]) -> Sequence[object]:
    events = list(chain.from_iterable(request.events for request in batch))
    last_topics = {event.originator_id: event.topic for event in events}
    return (
        integers([number for number, request in enumerate(batch) for _ in request.events]),
        uuids([event.originator_id for event in events]),
        bigints([event.originator_version for event in events]),
        texts([event.topic for event in events]),
        byteas([event.state for event in events]),
        uuids([event.event_id for event in events]),
        texts([event.tenant for event in events]),
        texts([event.metadata for event in events]),
        _claims(batch),
        _receipts(batch),
        _announcement(last_topics),
    )


def _claims(batch: Sequence[Request]) -> Jsonb | None:
    rows = [
        {"request": number, **request.beside.claim}
        for number, request in enumerate(batch)
        if request.beside.claim
    ]
    return Jsonb(rows) if rows else None


def _receipts(batch: Sequence[Request]) -> Jsonb | None:
    rows: list[dict[str, Any]] = []
    place = 0
    for number, request in enumerate(batch):
        place += len(request.events)
        if receipt := request.beside.receipt:
            rows.append({"request": number, "place": place if request.events else 0, **receipt})
    return Jsonb(rows) if rows else None


def _announcement(last_topics: dict[Any, str]) -> str:
    """The last topic of each stream, as far as a notification has room for it."""
    words: list[str] = []
    room = _ROOM
    for stream, topic in last_topics.items():
        word = f" {stream}:{topic}"
        room -= len(word)
        if room < 0:
            break
        words.append(word)
    return "".join(words)
