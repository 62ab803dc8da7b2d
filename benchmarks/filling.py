"""Fills a log with the bytes of real events, as fast as the server copies them."""

from collections.abc import Sequence
from typing import Final, LiteralString

import psycopg

from domain.kernel import Event
from domain.program.events import ProgramTestingStarted
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.stored import SealedEvent
from tests.support import histories as build
from tests.support.histories import Log, an_id

TENANT: Final = "bench"
EXECUTIONS: Final = 99
"""How many executions there are for each program."""

_TAIL: Final[LiteralString] = """
    SELECT pg_sequence_last_value('stratal.log_position'),
           coalesce(pg_sequence_last_value('stratal.log_clock'), 1893456000000000)
"""
_EVENTS: Final[LiteralString] = """
    INSERT INTO stratal.events (originator_id, originator_version, topic, state, notification_id,
                                event_id, tenant, metadata, recorded_at)
    SELECT (lpad(to_hex(%(head)s::bigint + block * %(size)s::bigint + t.stream), 16, '0')
            || substr(md5(block::text || '/' || t.stream), 1, 16))::uuid,
           t.version, t.topic, t.state, %(head)s::bigint + block * %(size)s::bigint + t.place,
           (lpad(to_hex(%(head)s::bigint + block * %(size)s::bigint + t.place), 16, '0')
            || substr(md5(t.place::text), 1, 16))::uuid,
           %(tenant)s, t.metadata::json,
           'epoch'::timestamptz + (%(clock)s::bigint + (block * %(size)s::bigint + t.place) * 1000)
               * interval '1 microsecond'
    FROM generate_series(0, %(blocks)s::bigint - 1) AS block,
         unnest(%(streams)s::int[], %(versions)s::bigint[], %(topics)s::text[],
                %(states)s::bytea[], %(metadatas)s::text[])
             WITH ORDINALITY AS t(stream, version, topic, state, metadata, place)
"""
_STREAMS: Final[LiteralString] = """
    INSERT INTO stratal.streams (originator_id, tenant, version, first_position, last_position)
    SELECT originator_id, min(tenant), max(originator_version), min(notification_id),
           max(notification_id)
    FROM stratal.events WHERE notification_id > %(head)s::bigint GROUP BY originator_id
"""
_MOVE: Final[LiteralString] = """
    SELECT setval('stratal.log_position', %(end)s::bigint),
           setval('stratal.log_clock', (%(clock)s::bigint + %(end)s::bigint * 1000)::bigint)
"""


def mixed() -> list[list[SealedEvent]]:
    """The streams of a program that was bettered and deployed, and of its executions."""
    return programs() + [_sealed(f"execution {n}", build.an_execution()) for n in range(EXECUTIONS)]


def programs() -> list[list[SealedEvent]]:
    """The stream of one such program."""
    life = (
        build.program_created(),
        ProgramTestingStarted(),
        build.program_compiled(2),
        build.program_deployed(2),
    )
    return [_sealed("program", life)]


def fill(owner: str, streams: Sequence[Sequence[SealedEvent]], size: int) -> int:
    """Append copies of *streams*, each with an id of its own, until the log has *size* events.

    Returns the position of the last one; it may lie a block short of *size*.
    """
    rows = [(number, each) for number, stream in enumerate(streams) for each in stream]
    with psycopg.connect(owner) as connection:
        found = connection.execute(_TAIL).fetchone()
        assert found is not None
        head, clock = found[0] or 0, found[1]
        blocks = (size - head) // len(rows)
        if blocks <= 0:
            return head
        params = {
            "head": head,
            "clock": clock,
            "size": len(rows),
            "end": head + blocks * len(rows),
            "blocks": blocks,
            "tenant": TENANT,
            "streams": [number for number, _ in rows],
            "versions": [each.originator_version for _, each in rows],
            "topics": [each.topic for _, each in rows],
            "states": [each.state for _, each in rows],
            "metadatas": [each.metadata for _, each in rows],
        }
        connection.execute("SELECT stratal.make_room(%(end)s)", params)
        for statement in (_EVENTS, _STREAMS, _MOVE):
            connection.execute(statement, params)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE stratal.events")
        connection.execute("VACUUM ANALYZE stratal.streams")
    return head + blocks * len(rows)


def _sealed(name: str, events: Sequence[Event]) -> list[SealedEvent]:
    log = Log(tenant=TENANT)
    return [EventMapper().to_stored_event(each) for each in log.append(an_id(name), *events)]
