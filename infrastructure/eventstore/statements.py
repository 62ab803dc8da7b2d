"""The SQL that appends to the log and reads it."""

from collections.abc import Sequence
from typing import LiteralString

from psycopg import Cursor
from psycopg.rows import TupleRow

from infrastructure.eventstore.stored import LogEntry

APPEND: LiteralString = """
    SELECT stratal.append_events(
        %b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::uuid[], %b::text[], %b::text[],
        %b::jsonb, %b::jsonb, %b::text
    )
"""
"""Answers with one array: the positions, in the order of the events."""

_ENTRY: LiteralString = """
    SELECT originator_id, originator_version, topic, state, notification_id, event_id, tenant,
           metadata, recorded_at
    FROM stratal.events
"""
"""The columns in the order of the fields of ``LogEntry``."""

_STREAM: LiteralString = (
    _ENTRY
    + """
    WHERE originator_id = %(id)s
      AND originator_version > coalesce(%(gt)s, -1)
      AND originator_version <= coalesce(%(lte)s, 9223372036854775807)
    ORDER BY originator_version
"""
)
STREAM: LiteralString = _STREAM + " LIMIT %(limit)s"
STREAM_BACKWARDS: LiteralString = _STREAM + " DESC LIMIT %(limit)s"

_AFTER: LiteralString = _ENTRY + " WHERE notification_id > %(after)s"

HEAD: LiteralString = "SELECT max(notification_id) FROM stratal.events"

POSITIONS: LiteralString = """
    SELECT notification_id FROM stratal.events WHERE event_id = ANY(%s) ORDER BY notification_id
"""

END_SESSION: LiteralString = """
    SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
    WHERE pid = %s AND datname = current_database() AND usename = current_user
"""
"""Waits up to 2 s for the session to be gone, and says whether it is."""


def tail(
    cursor: Cursor[TupleRow],
    after: int,
    limit: int,
    *,
    stop: int | None = None,
    topics: Sequence[str] = (),
    tenant: str | None = None,
) -> Sequence[LogEntry]:
    """The next *limit* rows of the log beyond position *after*, up to *stop*, of these topics."""
    query = _AFTER
    if stop is not None:
        query += " AND notification_id <= %(stop)s"
    if topics:
        query += " AND topic = ANY(%(topics)s)"
    if tenant is not None:
        query += " AND tenant = %(tenant)s"
    params = {
        "after": after,
        "stop": stop,
        "topics": list(topics),
        "tenant": tenant,
        "limit": limit,
    }
    cursor.execute(query + " ORDER BY notification_id LIMIT %(limit)s", params, prepare=True)
    return [LogEntry(*row) for row in cursor]
