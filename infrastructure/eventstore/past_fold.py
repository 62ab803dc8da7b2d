"""Folds the past of a read model anew from the log, into tables that last a transaction."""

from collections.abc import Sequence
from time import monotonic
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from infrastructure.eventstore import statements
from infrastructure.eventstore.mapper import EventMapper
from projections.kernel import Projection, Write

_TABLES: LiteralString = """
    SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'
"""

BATCH = 1000
MEASURED_FROM = 200


class PastFold:
    """Makes the tables of a projection as they were at a position, for one tenant."""

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

        The session's role needs the privilege TEMP on the database.

        Raises:
            TimeoutError: It takes longer than *limit_s*.
            UnreadableEvent: This release cannot read an event of the tenant.
        """
        deadline = monotonic() + limit_s
        connection.execute("SET LOCAL search_path TO pg_temp")
        connection.execute(projection.schema)
        folding, after, written, measured = projection(), 0, 0, MEASURED_FROM
        topics = [event.TOPIC for event in projection.events]
        while True:
            _limit(connection, deadline)
            with connection.cursor(binary=True) as cursor:
                entries = statements.tail(
                    cursor, after, BATCH, stop=position, topics=topics, tenant=tenant
                )
            recorded = [self._mapper.to_domain_event(entry) for entry in entries]
            writes = [write for each in recorded for write in folding.project(each)]
            _write(connection, writes)
            if len(entries) < BATCH:
                return
            after, written = entries[-1].id, written + len(writes)
            if written > measured:
                _measure(connection)
                measured = 2 * written


def _limit(connection: Connection[TupleRow], deadline: float) -> None:
    """Have the server give up each statement from now on at the deadline."""
    left_ms = int((deadline - monotonic()) * 1000)
    if left_ms <= 0:
        raise TimeoutError
    connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(left_ms),))


def _write(connection: Connection[TupleRow], writes: Sequence[Write]) -> None:
    with connection.pipeline():
        for write in writes:
            connection.execute(write.sql, write.params, prepare=True)


def _measure(connection: Connection[TupleRow]) -> None:
    """Tell the planner how the tables have grown; by a wrong index an update reads all rows."""
    for (table,) in connection.execute(_TABLES).fetchall():
        connection.execute(SQL("ANALYZE {}").format(Identifier("pg_temp", table)))
