"""Rebuilds a projection beside the live one and puts it in its place; verifies what is there."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed, Identifier

from infrastructure.eventstore.comparison import Side, TableDifference, differences
from infrastructure.eventstore.fold_from_zero import (
    Connect,
    EventCannotBeFolded,
    FoldFromZero,
    Progress,
    without_limits,
)
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.projection_tables import drop_schema, schema_of
from projections.kernel import Projection

CLOSE_ENOUGH = 500
"""Positions that may be missing when the leader is made to wait: it does so for milliseconds."""
TRIES = 5
"""Verifications that may be in vain because others parked, replayed or rebuilt meanwhile."""

_POSITION: LiteralString = """
    SELECT position FROM stratal.projections WHERE name = %s AND version = %s
"""
_STOP: LiteralString = """
    SELECT position FROM stratal.projections WHERE name = %s AND version = %s FOR UPDATE
"""
_PARKED: LiteralString = """
    SELECT stream, min(position), count(*) FROM stratal.parked
    WHERE projection = %s AND version = %s GROUP BY stream
"""
_ENTER: LiteralString = """
    INSERT INTO stratal.projections (name, version) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
_TARGET: LiteralString = """
    SELECT coalesce(max(position), 0) FROM stratal.projections
    WHERE name = %s AND (version = %s OR live)
"""
# Locks the version that queries read as well, so that nobody sees its successor behind it.
_STOP_ALL: LiteralString = """
    SELECT coalesce(max(position), 0) FROM (
        SELECT position FROM stratal.projections
        WHERE name = %s AND (version = %s OR live) ORDER BY version FOR UPDATE) AS stopped
"""
_RETIRE: LiteralString = "UPDATE stratal.projections SET live = false WHERE name = %s AND live"
_SWITCH: LiteralString = """
    UPDATE stratal.projections
    SET live = true, position = %s, epoch = epoch + 1, failure = NULL,
        updated_at = clock_timestamp()
    WHERE name = %s AND version = %s
"""
_RELEASE: LiteralString = "DELETE FROM stratal.parked WHERE projection = %s AND version = %s"
_LIVE: LiteralString = "SELECT version FROM stratal.projections WHERE name = %s AND live"
_SCHEMA: LiteralString = "SELECT nspname FROM pg_namespace WHERE nspname = %s"

_Parked = dict[UUID, tuple[int, int]]
Against = Literal["live tables", "second fold"]


class ProjectionIsNewer(Exception):
    """Queries read a later version of the projection than this release has."""

    code: ClassVar[str] = "projection.newer"

    def __init__(self, name: str, live: int, ours: int) -> None:
        super().__init__(
            f"Queries read version {live} of {name}, this release has version {ours}. "
            "Rebuild it with the newer release."
        )


class ProjectionHasNoTables(Exception):
    """No projector has run this version yet, so there is nothing to verify."""

    code: ClassVar[str] = "projection.no_tables"

    def __init__(self, projection: Projection) -> None:
        super().__init__(
            f"Version {projection.version} of {projection.name} has no tables yet. "
            "Start a projector."
        )


class TablesKeepChanging(Exception):
    """While it was verified others parked, replayed or rebuilt time and again; try again later."""

    code: ClassVar[str] = "projection.tables_keep_changing"

    def __init__(self, projection: Projection) -> None:
        super().__init__(
            f"What version {projection.version} of {projection.name} has parked changed during "
            f"each of {TRIES} verifications. Try again later."
        )


class RebuildIsUnverified(Exception):
    """Two folds of the same events gave different rows; the live tables were left as they are."""

    code: ClassVar[str] = "projection.rebuild_unverified"

    def __init__(self, name: str, found: Sequence[TableDifference]) -> None:
        tables = ", ".join(each.table for each in found)
        super().__init__(
            f"Two folds of {name} from the beginning differ in {tables}: its fold does not depend "
            "on the events alone. Mend it; nothing was switched."
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """How the tables of a version compare with a fold from the beginning, at one position."""

    name: str
    version: int
    position: int
    parked: int
    differences: Sequence[TableDifference]

    @property
    def is_well(self) -> bool:
        """Whether the tables hold what all events up to the position make."""
        return not self.parked and not self.differences


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuild that is live; ``differed`` are the tables that the old one had otherwise."""

    name: str
    version: int
    position: int
    verified_against: Against
    differed: Sequence[str]


@dataclass(frozen=True)
class Rebuilder:
    """Works on the database at *conninfo*."""

    conninfo: str
    mapper: EventMapper | None = None
    connect: Connect = without_limits

    def verify(
        self, projection: Projection, progress: Progress = lambda _at, _end: None
    ) -> Verification:
        """Fold the log from the beginning and compare the rows with those that are there.

        Raises:
            ProjectionHasNoTables: There is nothing to compare.
            FoldIsUnderWay: Somebody else verifies it.
            EventCannotBeFolded: This release cannot fold an event that is not parked.
            TablesKeepChanging: Others interfered each time.
        """
        with self.connect(self.conninfo) as reader:
            for _ in range(TRIES):
                if found := self._verified(reader, projection, progress):
                    return found
            raise TablesKeepChanging(projection)

    def _verified(
        self, reader: Connection[TupleRow], projection: Projection, progress: Progress
    ) -> Verification | None:
        """What it finds; ``None`` if meanwhile others changed what is parked, or began anew."""
        without = _first(_parked(reader, projection))
        try:
            with self._fold(projection, "check", progress, without) as check:
                self._approach(check, lambda: _position(reader, projection))
                with self._at_one_position(check) as (still, stopped, parked):
                    if (stopped, _first(parked)) != (check.position, without):
                        return None
                    found = differences(Side(still, schema_of(projection)), check.side)
        except EventCannotBeFolded:
            if _first(_parked(reader, projection)) == without:
                raise
            return None
        waiting = sum(count for _, count in parked.values())
        return Verification(projection.name, projection.version, stopped, waiting, found)

    def rebuild(
        self, projection: Projection, progress: Progress = lambda _at, _end: None
    ) -> Rebuilt:
        """Build it anew beside the live tables, make sure of it, and have queries read it.

        Commands and the projector go on meanwhile. The new tables must equal the live ones at one
        position. Where those differ, are of another version or do without parked events, a second
        fold must agree instead. Killed at any moment it leaves the old tables live; another run
        begins anew.

        Raises:
            ProjectionIsNewer: Queries read a later version.
            ProjectionHasNoTables: Queries read no version yet: there is nothing to replace.
            FoldIsUnderWay: Somebody else rebuilds it.
            EventCannotBeFolded: This release cannot fold an event; nothing was switched.
            RebuildIsUnverified: The second fold does not agree; nothing was switched.
        """
        with self.connect(self.conninfo) as reader:
            live = _live(reader, projection)
            with self._fold(projection, "build", progress) as build:
                self._approach(build, lambda: _target(reader, projection))
                build.finish()
                differed: Sequence[str] | None = None
                if live == projection.version and not _parked(reader, projection):
                    with self._at_one_position(build) as (still, _, _):
                        found = differences(Side(still, schema_of(projection)), build.side)
                    differed = [each.table for each in found]
                if differed is None or differed:
                    self._check(reader, build, progress)
                    against: Against = "second fold"
                else:
                    against = "live tables"
                self._switch(build)
                return Rebuilt(
                    projection.name, projection.version, build.position, against, differed or ()
                )

    def _check(self, reader: Connection[TupleRow], build: FoldFromZero, progress: Progress) -> None:
        """Make sure that a second fold gives the same rows.

        Raises:
            RebuildIsUnverified: It does not.
        """
        with self._fold(build.projection, "check", progress) as check:
            check.advance(build.position)
            found = differences(Side(reader, build.schema), check.side)
            if found:
                raise RebuildIsUnverified(build.projection.name, found)

    def _fold(
        self,
        projection: Projection,
        purpose: Literal["build", "check"],
        progress: Progress,
        without: dict[UUID, int] | None = None,
    ) -> FoldFromZero:
        return FoldFromZero(
            self.conninfo,
            projection,
            f"{schema_of(projection)}_{purpose}",
            mapper=self.mapper,
            without=without,
            progress=progress,
            connect=self.connect,
        )

    @staticmethod
    def _approach(fold: FoldFromZero, aim: Callable[[], int]) -> None:
        """Fold until little is missing up to *aim*, which moves."""
        while (target := aim()) > fold.position + CLOSE_ENOUGH:
            fold.advance(target)

    @contextmanager
    def _at_one_position(
        self, fold: FoldFromZero
    ) -> Generator[tuple[Connection[TupleRow], int, _Parked], None, None]:
        """A view of *fold* and of the tables of its version, at their position; what is parked.

        The leader waits until the view is taken, not for what is done with it.
        """
        with self.connect(self.conninfo) as still:
            with self.connect(self.conninfo) as gate, gate.transaction():
                stopped = _position(gate, fold.projection, _STOP)
                fold.advance(stopped)
                parked = _parked(gate, fold.projection)
                still.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                still.execute("SELECT")
            yield still, stopped, parked

    def _switch(self, build: FoldFromZero) -> None:
        """Put *build* in the place of the live tables, in one transaction; drop those after it."""
        projection, connection = build.projection, build.connection
        key = (projection.name, projection.version)
        here, former = schema_of(projection), f"{schema_of(projection)}_former"
        self._approach(build, lambda: _target(connection, projection))
        with connection.transaction():
            connection.execute(_ENTER, key)
            build.advance_within(_stop_all(connection, projection))
            drop_schema(connection, former)
            if connection.execute(_SCHEMA, (here,)).fetchone():
                connection.execute(_rename(here, former))
            connection.execute(_rename(build.schema, here))
            connection.execute(_RETIRE, (projection.name,))
            connection.execute(_SWITCH, (build.position, *key))
            connection.execute(_RELEASE, key)
        build.keep()
        with connection.transaction():
            drop_schema(connection, former)


def _position(
    connection: Connection[TupleRow], projection: Projection, query: LiteralString = _POSITION
) -> int:
    row = connection.execute(query, (projection.name, projection.version)).fetchone()
    if row is None:
        raise ProjectionHasNoTables(projection)
    position: int = row[0]
    return position


def _live(connection: Connection[TupleRow], projection: Projection) -> int:
    """The version that queries read."""
    row = connection.execute(_LIVE, (projection.name,)).fetchone()
    if row is None:
        raise ProjectionHasNoTables(projection)
    if row[0] > projection.version:
        raise ProjectionIsNewer(projection.name, row[0], projection.version)
    version: int = row[0]
    return version


def _parked(connection: Connection[TupleRow], projection: Projection) -> _Parked:
    """The first parked position and the number of parked events of each stream."""
    rows = connection.execute(_PARKED, (projection.name, projection.version)).fetchall()
    return {stream: (first, count) for stream, first, count in rows}


def _first(parked: _Parked) -> dict[UUID, int]:
    return {stream: position for stream, (position, _) in parked.items()}


def _target(connection: Connection[TupleRow], projection: Projection) -> int:
    row = connection.execute(_TARGET, (projection.name, projection.version)).fetchone()
    assert row is not None
    position: int = row[0]
    return position


def _stop_all(connection: Connection[TupleRow], projection: Projection) -> int:
    row = connection.execute(_STOP_ALL, (projection.name, projection.version)).fetchone()
    assert row is not None
    position: int = row[0]
    return position


def _rename(schema: str, name: str) -> Composed:
    return SQL("ALTER SCHEMA {} RENAME TO {}").format(Identifier(schema), Identifier(name))
