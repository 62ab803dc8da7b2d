"""Folds the past of a read model anew from the log, into tables that last a transaction."""

from collections.abc import Sequence
from time import monotonic
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from infrastructure.eventstore import statements
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.stored import LogEntry
from infrastructure.eventstore.write_batches import WriteBatches
from projections.kernel import Projection

_PARKED: LiteralString = """
    SELECT k.position FROM stratal.parked AS k JOIN stratal.projections AS p
        ON p.name = k.projection AND p.version = k.version AND p.live
    WHERE p.name = %s AND k.position <= %s
"""
_TABLES: LiteralString = """
    SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'
"""

BATCH = 1000
MEASURED_FROM = 200


class PastFold:
    """Makes the tables of a projection as they were at a position, for one tenant.

    What the read model has parked is left out, as its queries do without it too.
    """

    def __init__(self, mapper: EventMapper | None = None) -> None:
        self._mapper = mapper or EventMapper()

    def __call__(
        self,
        connection: Connection[TupleRow],
        projection: type[Projection],
        *,
        tenant: str,
        position: int,
        limit_s: float,
    ) -> None:
        """Make and fill them: temporary ones, which bare names mean until the transaction ends.

        The session's role needs the privilege TEMPORARY on the database.

        Raises:
            TimeoutError: It takes longer than *limit_s*.
            psycopg.errors.QueryCanceled: The same, noticed by the server.
            UnreadableEvent: This release cannot read an event, and has not parked it yet.
        """
        deadline = monotonic() + limit_s
        parked = _parked(connection, projection, position)
        connection.execute("SET LOCAL search_path TO pg_temp")
        connection.execute(projection.schema)
        folding, batches = projection(), WriteBatches(connection, "pg_temp")
        after, written, measured = 0, 0, MEASURED_FROM
        while entries := _next(
            connection,
            projection,
            tenant=tenant,
            after=after,
            position=position,
            deadline=deadline,
        ):
            recorded = [
                self._mapper.to_domain_event(each) for each in entries if each.id not in parked
            ]
            writes = [write for each in recorded for write in folding.project(each)]
            batch = batches.pack(writes)
            batches.learn(batch)
            batches.send(batch)
            if len(entries) < BATCH:
                return
            after, written = entries[-1].id, written + len(writes)
            if written > measured:
                _measure(connection)
                measured = 2 * written


def _next(
    connection: Connection[TupleRow],
    projection: type[Projection],
    *,
    tenant: str,
    after: int,
    position: int,
    deadline: float,
) -> Sequence[LogEntry]:
    """The next events; the server gives up what it does from now on at the deadline."""
    left_ms = int((deadline - monotonic()) * 1000)
    if left_ms <= 0:
        raise TimeoutError
    connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(left_ms),))
    topics = [event.TOPIC for event in projection.events]
    with connection.cursor(binary=True) as cursor:
        return statements.tail(cursor, after, BATCH, stop=position, topics=topics, tenant=tenant)


def _parked(
    connection: Connection[TupleRow], projection: type[Projection], position: int
) -> frozenset[int]:
    found = connection.execute(_PARKED, (projection.name, position)).fetchall()
    return frozenset(at for (at,) in found)


def _measure(connection: Connection[TupleRow]) -> None:
    """Tell the planner how the tables have grown; by a wrong index an update reads all rows."""
    for (table,) in connection.execute(_TABLES).fetchall():
        connection.execute(SQL("ANALYZE {}").format(Identifier("pg_temp", table)))
