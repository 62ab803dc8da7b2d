"""The SQL that appends to the log and reads it."""

from collections.abc import Sequence
from typing import LiteralString

from psycopg import Cursor
from psycopg.rows import TupleRow

from infrastructure.eventstore.stored import LogEntry

APPEND: LiteralString = """
    SELECT stratal.append_events(
        %b::int[], %b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::uuid[], %b::text[],
        %b::text[], %b::jsonb, %b::jsonb, %b::text
    )
"""
"""Answers with the position of the first event; the others follow it without a gap."""

_ENTRY: LiteralString = """
    SELECT originator_id, originator_version, topic, state, notification_id, event_id, tenant,
           metadata::text, recorded_at
"""
"""The columns in the order of the fields of ``LogEntry``."""

STREAM: LiteralString = (
    _ENTRY
    + """
    FROM stratal.stream_events(
        %(id)s::uuid, %(gt)s, %(lte)s, %(up_to)s, %(backwards)s, %(limit)s, %(tenant)s
    )
"""
)

_AFTER: LiteralString = (
    _ENTRY
    + """
    FROM stratal.events_after(%(after)s, %(stop)s, %(topics)s::text[], %(tenant)s, %(limit)s)
"""
)

HEAD: LiteralString = "SELECT stratal.head()"

POSITIONS: LiteralString = """
    SELECT e.notification_id
    FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::text[])
        AS asked(stream, version, event_id, tenant)
    CROSS JOIN LATERAL stratal.stream_events(
        asked.stream, asked.version - 1, asked.version, NULL, false, 1, asked.tenant
    ) AS e
    WHERE e.event_id = asked.event_id ORDER BY e.notification_id
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
    """The next *limit* rows of the log beyond position *after*, up to *stop*, of these topics.

    Without a *tenant* they are of all that the session may see.
    """
    params = {
        "after": after,
        "stop": stop,
        "topics": list(topics) or None,
        "tenant": tenant,
        "limit": limit,
    }
    cursor.execute(_AFTER, params, prepare=True)
    return [LogEntry(*row) for row in cursor.fetchall()]
