"""Where projections keep their rows and positions, and who may write them: one runner at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import LiteralString, NamedTuple
from uuid import UUID
from zlib import crc32

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed, Identifier

from infrastructure.eventstore.write_batches import Batch, WriteBatches, prepare_session, together
from projections.kernel import Projection, Write

_LEAD: LiteralString = """
    SELECT place, pg_try_advisory_lock(7302, key)
    FROM unnest(%s::int[]) WITH ORDINALITY AS k(key, place)
"""
# One whose tables could not be made begins anew.
_ENTER: LiteralString = """
    INSERT INTO stratal.projections AS p (name, version) VALUES (%s, %s)
    ON CONFLICT (name, version) DO UPDATE SET failure = NULL, position = 0
    WHERE p.failure IS NOT NULL
"""
_RELEASE: LiteralString = "DELETE FROM stratal.parked WHERE projection = %s AND version = %s"
_LIVE_IF_FIRST: LiteralString = """
    UPDATE stratal.projections SET live = true
    WHERE name = %(name)s AND version = %(version)s
      AND NOT EXISTS (SELECT FROM stratal.projections WHERE name = %(name)s AND live)
"""
_STATE: LiteralString = """
    SELECT position, live, epoch,
           ARRAY(SELECT DISTINCT stream FROM stratal.parked AS k
                 WHERE k.projection = p.name AND k.version = p.version)
    FROM stratal.projections AS p WHERE name = %s AND version = %s
"""
_MOVE: LiteralString = """
    SELECT stratal.move_projections(%s::text[], %s::integer[], %s::integer[], %s::bigint[])
"""
_PARK: LiteralString = """
    INSERT INTO stratal.parked (projection, version, position, stream, topic, reason, attempts)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_FAIL: LiteralString = """
    INSERT INTO stratal.projections (name, version, failure) VALUES (%s, %s, %s)
    ON CONFLICT (name, version) DO UPDATE
    SET failure = EXCLUDED.failure, updated_at = clock_timestamp()
"""
_BEAT: LiteralString = """
    UPDATE stratal.projections AS p SET updated_at = clock_timestamp()
    FROM unnest(%s::text[], %s::int[]) AS led(name, version)
    WHERE p.name = led.name AND p.version = led.version
"""
_RETIRE_OLDER: LiteralString = """
    UPDATE stratal.projections SET live = false WHERE name = %s AND version < %s AND live
"""
_REPLACES: LiteralString = """
    SELECT count(*) FROM stratal.projections WHERE name = %s AND version < %s AND live
"""
_WALL: LiteralString = "SELECT stratal.wall(%s, true)"
_TABLES: LiteralString = "SELECT tablename FROM pg_tables WHERE schemaname = %s"

MEASURED_FROM = 50
CHANGED_BY_ANOTHER = "ST010"
"""Raised by ``stratal.move_projections``, also where the position is not before the new one."""


class Parked(NamedTuple):
    """An event that a projection does without, for now; ``attempts`` is 0 if it only waits."""

    position: int
    stream: UUID
    topic: str
    reason: str
    attempts: int


class Folded(NamedTuple):
    """What a projection makes of the log up to *position*."""

    projection: Projection
    writes: Sequence[Write]
    position: int
    parked: Sequence[Parked] = ()


class Packed(NamedTuple):
    """The same, ready to be sent."""

    projection: Projection
    batch: Batch
    position: int
    parked: Sequence[Parked]


class State(NamedTuple):
    """How far a projection is, whether queries read it, and which streams wait for a parked one."""

    position: int
    live: bool
    held: frozenset[UUID]


class ProjectionTables:
    """The tables of all projections, over one session that holds leader locks while it lives."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self.connection = connection
        self._measured_at: dict[str, int] = {}
        self._batches: dict[str, WriteBatches] = {}
        self._epochs: dict[str, int] = {}
        prepare_session(connection)

    def lead(self, projections: Sequence[Projection]) -> Sequence[Projection]:
        """Those of *projections* that no other session leads; from now on this one does."""
        keys = [lock_of(schema_of(each)) for each in projections]
        rows: list[tuple[int, bool]] = self.connection.execute(_LEAD, (keys,)).fetchall()
        return [projections[place - 1] for place, led in rows if led]

    def open(self, projection: Projection) -> State:
        """Make its tables if it has none, or none with walls between tenants; say where it is."""
        key = (projection.name, projection.version)
        with self.connection.transaction():
            if self.connection.execute(_ENTER, key).rowcount:
                self.connection.execute(_RELEASE, key)
                create_schema(self.connection, schema_of(projection), projection.schema)
                make_indexes(self.connection, schema_of(projection), projection)
                self.connection.execute(
                    _LIVE_IF_FIRST, {"name": projection.name, "version": projection.version}
                )
            self.connection.execute(_WALL, (schema_of(projection),))
            row = self.connection.execute(_STATE, key).fetchone()
        assert row is not None
        position, live, epoch, held = row
        self._epochs[schema_of(projection)] = epoch
        return State(position, live, frozenset(held))

    def pack(self, folded: Sequence[Folded]) -> Sequence[Packed]:
        """Make *folded* ready to be sent, without the database."""
        return [
            Packed(each.projection, self._of(each).pack(each.writes), each.position, each.parked)
            for each in folded
        ]

    def write(self, folded: Sequence[Folded]) -> None:
        """Write rows and positions of all of *folded*, or nothing."""
        self.send(self.pack(folded))

    def send(self, packed: Sequence[Packed], meanwhile: Callable[[], object] | None = None) -> None:
        """Write all of *packed*, or nothing, in one round trip; do *meanwhile* during it.

        Raises:
            psycopg.Error: With the state ``CHANGED_BY_ANOTHER`` one must be opened again first.
        """
        for each in packed:
            self._of(each).learn(each.batch)
        with together(self.connection, meanwhile):
            # First, so that whoever changes tables from outside is waited for, then noticed.
            self.connection.execute(_MOVE, self._moves(packed), prepare=True)
            for each in packed:
                self._park(each)
                self._of(each).send(each.batch)
        for each in packed:
            if each.position >= 2 * self._measured_at.get(each.projection.name, MEASURED_FROM):
                self._measured_at[each.projection.name] = each.position
                with suppress(psycopg.Error):  # all was written: nothing may look as if it failed
                    measure(self.connection, schema_of(each.projection))

    def fail(self, projection: Projection, why: str) -> None:
        """Record why it has no tables."""
        self.connection.execute(_FAIL, (projection.name, projection.version, why))

    def beat(self, projections: Sequence[Projection]) -> None:
        """Say that their leader is alive."""
        names = [each.name for each in projections]
        self.connection.execute(_BEAT, (names, [each.version for each in projections]))

    def replaces(self, projection: Projection) -> bool:
        """Whether queries read an earlier version."""
        key = (projection.name, projection.version)
        return self.connection.execute(_REPLACES, key).fetchone() != (0,)

    def go_live(self, projection: Projection) -> bool:
        """Have queries read this version, unless they read a later one already."""
        key = {"name": projection.name, "version": projection.version}
        with self.connection.transaction():
            self.connection.execute(_RETIRE_OLDER, (projection.name, projection.version))
            return self.connection.execute(_LIVE_IF_FIRST, key).rowcount == 1

    def _of(self, each: Folded | Packed) -> WriteBatches:
        schema = schema_of(each.projection)
        if schema not in self._batches:
            self._batches[schema] = WriteBatches(self.connection, schema)
        return self._batches[schema]

    def _moves(self, packed: Sequence[Packed]) -> Sequence[Sequence[object]]:
        return (
            [each.projection.name for each in packed],
            [each.projection.version for each in packed],
            [self._epochs[schema_of(each.projection)] for each in packed],
            [each.position for each in packed],
        )

    def _park(self, packed: Packed) -> None:
        of = (packed.projection.name, packed.projection.version)
        for each in packed.parked:
            self.connection.execute(_PARK, (*of, *each), prepare=True)


def schema_of(projection: Projection) -> str:
    """Where the rows of this version are."""
    return f"{projection.name}_v{projection.version}"


def lock_of(name: str) -> int:
    """The advisory lock, of the class 7302, for the tables called *name*."""
    return crc32(name.encode()) & 0x7FFFFFFF


def create_schema(connection: Connection[TupleRow], schema: str, tables: LiteralString) -> None:
    """Make *tables* in a new *schema*; what was there before is dropped. Within a transaction."""
    drop_schema(connection, schema)
    connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
    connection.execute(enter(schema))
    connection.execute(tables)
    connection.execute(_WALL, (schema,))


def make_indexes(connection: Connection[TupleRow], schema: str, projection: Projection) -> None:
    """Make what only queries need. Within a transaction."""
    if projection.indexes:
        connection.execute(enter(schema))
        connection.execute(projection.indexes)


def make_indexes_together(
    connections: Sequence[Connection[TupleRow]], schema: str, projection: Projection
) -> None:
    """The same for tables that are committed, with all *connections* at once, beyond transactions.

    Raises:
        psycopg.Error: One could not be made; others may have been.
    """
    parts: list[LiteralString] = projection.indexes.split(";")
    free = SimpleQueue[Connection[TupleRow]]()
    for connection in connections:
        free.put(connection)

    def make(statement: LiteralString) -> None:
        connection = free.get()
        try:
            with connection.transaction():
                connection.execute(enter(schema))
                connection.execute(statement)
        finally:
            free.put(connection)

    with ThreadPoolExecutor(len(connections), "indexes") as together:
        for made in [together.submit(make, part) for part in parts if part.strip()]:
            made.result()


def drop_schema(connection: Connection[TupleRow], schema: str) -> None:
    """Drop *schema* with all that is in it, if it is there."""
    connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))


def enter(schema: str) -> Composed:
    """Have bare names mean the tables in *schema*, until the transaction ends."""
    return SQL("SET LOCAL search_path TO {}").format(Identifier(schema))


def measure(connection: Connection[TupleRow], schema: str) -> None:
    """Tell the planner how the tables have grown, each time the log has doubled.

    Autovacuum comes once a minute. Until then all indexes of a new table look alike, and an update
    that takes the wrong one reads all rows of a tenant: a rebuild became quadratic.
    """
    for (table,) in connection.execute(_TABLES, (schema,)).fetchall():
        connection.execute(SQL("ANALYZE {}").format(Identifier(schema, table)))
