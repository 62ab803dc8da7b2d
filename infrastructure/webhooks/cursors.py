"""How far the deliveries of each webhook got: rows of a table, moved one event at a time."""

from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from domain.values import Failure

_TABLE: LiteralString = """
-- Where the deliveries of a webhook are: all up to `position` was taken. `tries` counts the
-- failures of the next one.
CREATE TABLE stratal.webhook_cursors (
    tenant        text NOT NULL,
    webhook_id    uuid NOT NULL,
    position      bigint NOT NULL,
    delivered     bigint NOT NULL DEFAULT 0,
    delivered_at  timestamptz,
    tries         integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    next_at       timestamptz NOT NULL DEFAULT now(),
    failure       json,
    PRIMARY KEY (tenant, webhook_id)
);
"""

_WALL: LiteralString = "SELECT stratal.wall('stratal', false, 'webhook_cursors')"

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("webhooks.1", _TABLE),
    ("webhooks.2", _WALL),
)

_OPEN: LiteralString = """
    INSERT INTO stratal.webhook_cursors (tenant, webhook_id, position) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING"""
_READ: LiteralString = """
    SELECT position, tries, next_at FROM stratal.webhook_cursors
    WHERE tenant = %s AND webhook_id = %s"""
_SKIP: LiteralString = """
    UPDATE stratal.webhook_cursors SET position = %(to)s
    WHERE tenant = %(tenant)s AND webhook_id = %(id)s AND position < %(to)s"""
_TAKEN: LiteralString = """
    UPDATE stratal.webhook_cursors
    SET position = %(to)s, delivered = delivered + 1, delivered_at = %(at)s, tries = 0,
        failing_since = NULL, next_at = %(at)s, failure = NULL
    WHERE tenant = %(tenant)s AND webhook_id = %(id)s AND position < %(to)s"""
_REFUSED: LiteralString = """
    UPDATE stratal.webhook_cursors
    SET tries = tries + 1, failing_since = coalesce(failing_since, %(at)s), next_at = %(next_at)s,
        failure = %(failure)s
    WHERE tenant = %(tenant)s AND webhook_id = %(id)s AND position < %(to)s
    RETURNING tries, failing_since"""
_AFRESH: LiteralString = """
    UPDATE stratal.webhook_cursors SET tries = 0, failing_since = NULL, next_at = now()
    WHERE tenant = %s AND webhook_id = %s"""


class Cursor(NamedTuple):
    position: int
    tries: int
    next_at: datetime


class Cursors:
    """The rows, over a *connection* of the caller's own."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection

    def open(self, tenant: str, webhook_id: UUID, begins_after: int) -> Cursor:
        """Where the deliveries of a webhook are; at the first look where they begin."""
        read = self._connection.cursor(row_factory=class_row(Cursor))
        while (found := read.execute(_READ, [tenant, webhook_id]).fetchone()) is None:
            self._connection.execute(_OPEN, [tenant, webhook_id, begins_after])
        return found

    def passed(self, tenant: str, webhook_id: UUID, to: int) -> None:
        """Nothing up to the position *to* is for it."""
        self._connection.execute(_SKIP, {"tenant": tenant, "id": webhook_id, "to": to})

    def taken(self, tenant: str, webhook_id: UUID, to: int, at: datetime) -> None:
        """The event at the position *to* was taken."""
        told = {"tenant": tenant, "id": webhook_id, "to": to, "at": at}
        self._connection.execute(_TAKEN, told)

    def refused(
        self,
        tenant: str,
        webhook_id: UUID,
        position: int,
        failure: Failure,
        *,
        at: datetime,
        next_at: datetime,
    ) -> tuple[int, datetime]:
        """The event at *position* was not taken; how often now, and since when."""
        told = {"tenant": tenant, "id": webhook_id, "to": position, "at": at, "next_at": next_at}
        row = self._connection.execute(
            _REFUSED, told | {"failure": failure.model_dump_json()}
        ).fetchone()
        return (1, at) if row is None else (row[0], row[1])

    def afresh(self, tenant: str, webhook_id: UUID) -> None:
        """Forget the failures so far: it was given up, and begins anew if it is resumed."""
        self._connection.execute(_AFRESH, [tenant, webhook_id])
