"""Where projections keep their rows and positions, and who may write them: one runner at a time."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import LiteralString, NamedTuple
from zlib import crc32

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed, Identifier

from projections.kernel import Projection, Write

_LEAD: LiteralString = """
    SELECT place, pg_try_advisory_lock(7302, key)
    FROM unnest(%s::int[]) WITH ORDINALITY AS k(key, place)
"""
_ENTER: LiteralString = """
    INSERT INTO stratal.projections (name, version) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
_LIVE_IF_FIRST: LiteralString = """
    UPDATE stratal.projections SET live = true
    WHERE name = %(name)s AND version = %(version)s
      AND NOT EXISTS (SELECT FROM stratal.projections WHERE name = %(name)s AND live)
"""
_STATE: LiteralString = """
    SELECT position, live FROM stratal.projections WHERE name = %s AND version = %s
"""
_ENTER_SCHEMA: LiteralString = "SELECT set_config('search_path', %s, true)"
_MOVE: LiteralString = """
    UPDATE stratal.projections AS p
    SET position = m.position, failure = NULL, updated_at = clock_timestamp()
    FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS m(name, version, position)
    WHERE p.name = m.name AND p.version = m.version
"""
_FAIL: LiteralString = """
    UPDATE stratal.projections SET failure = %s, updated_at = clock_timestamp()
    WHERE name = %s AND version = %s
"""
_BEAT: LiteralString = """
    UPDATE stratal.projections AS p SET updated_at = clock_timestamp()
    FROM unnest(%s::text[], %s::int[]) AS led(name, version)
    WHERE p.name = led.name AND p.version = led.version
"""
_RETIRE_OLDER: LiteralString = """
    UPDATE stratal.projections SET live = false WHERE name = %s AND version < %s AND live
"""
_TABLES: LiteralString = "SELECT tablename FROM pg_tables WHERE schemaname = %s"

MEASURED_FROM = 50


class Folded(NamedTuple):
    """What a projection makes of the log up to *position*."""

    projection: Projection
    writes: Sequence[Write]
    position: int


class ProjectionTables:
    """The tables of all projections, over one session that holds its leader locks while it lives.

    Rows are lost together with their position when the server crashes, and are projected again:
    so the session does not wait for the disk.
    """

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self.connection = connection
        self._measured_at: dict[str, int] = {}
        connection.execute("SET synchronous_commit TO off")

    def lead(self, projections: Sequence[Projection]) -> Sequence[Projection]:
        """Those of *projections* that no other session leads; from now on this one does."""
        keys = [crc32(_schema(each).encode()) & 0x7FFFFFFF for each in projections]
        rows: list[tuple[int, bool]] = self.connection.execute(_LEAD, (keys,)).fetchall()
        return [projections[place - 1] for place, led in rows if led]

    def open(self, projection: Projection) -> tuple[int, bool]:
        """Make its tables if it has none; return its position and whether queries read it."""
        key = (projection.name, projection.version)
        with self.connection.transaction():
            if self.connection.execute(_ENTER, key).rowcount:
                schema = Identifier(_schema(projection))
                self.connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
                self.connection.execute(SQL("CREATE SCHEMA {}").format(schema))
                self.connection.execute(_path(projection))
                self.connection.execute(projection.schema)
                self.connection.execute(
                    _LIVE_IF_FIRST, {"name": projection.name, "version": projection.version}
                )
            row = self.connection.execute(_STATE, key).fetchone()
        assert row is not None
        return row[0], row[1]

    def write(self, folded: Sequence[Folded]) -> None:
        """Write rows and positions of all of *folded*, or nothing, in one round trip."""
        with self._together():
            for each in folded:
                if each.writes:
                    schema = _schema(each.projection)
                    self.connection.execute(_ENTER_SCHEMA, (schema,), prepare=True)
                for write in each.writes:
                    self.connection.execute(write.sql, write.params, prepare=True)
            names = [each.projection.name for each in folded]
            versions = [each.projection.version for each in folded]
            positions = [each.position for each in folded]
            self.connection.execute(_MOVE, (names, versions, positions), prepare=True)
        for each in folded:
            if each.position >= 2 * self._measured_at.get(each.projection.name, MEASURED_FROM):
                self._measure(each.projection)
                self._measured_at[each.projection.name] = each.position

    def fail(self, projection: Projection, why: str) -> None:
        """Record why it stopped."""
        self.connection.execute(_FAIL, (why, projection.name, projection.version))

    def beat(self, projections: Sequence[Projection]) -> None:
        """Say that their leader is alive."""
        names = [each.name for each in projections]
        self.connection.execute(_BEAT, (names, [each.version for each in projections]))

    def go_live(self, projection: Projection) -> bool:
        """Have queries read this version, unless they read a later one already."""
        key = {"name": projection.name, "version": projection.version}
        with self.connection.transaction():
            self.connection.execute(_RETIRE_OLDER, (projection.name, projection.version))
            return self.connection.execute(_LIVE_IF_FIRST, key).rowcount == 1

    def _measure(self, projection: Projection) -> None:
        """Tell the planner how the tables have grown, each time the log has doubled.

        Autovacuum comes once a minute. Until then all indexes of a new table look alike, and an
        update that takes the wrong one reads all rows of a tenant: a rebuild became quadratic.
        """
        schema = _schema(projection)
        for (table,) in self.connection.execute(_TABLES, (schema,)).fetchall():
            self.connection.execute(SQL("ANALYZE {}").format(Identifier(schema, table)))

    @contextmanager
    def _together(self) -> Generator[None, None, None]:
        """One transaction in one round trip."""
        try:
            with self.connection.pipeline():
                self.connection.execute("BEGIN")
                yield
                self.connection.execute("COMMIT")
        except BaseException:
            if not self.connection.closed:
                self.connection.rollback()
            raise


def _schema(projection: Projection) -> str:
    return f"{projection.name}_v{projection.version}"


def _path(projection: Projection) -> Composed:
    return SQL("SET LOCAL search_path TO {}").format(Identifier(_schema(projection)))
