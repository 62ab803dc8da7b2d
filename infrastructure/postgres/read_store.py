"""Reads the projected tables: the live version of each, read only, and as fresh as asked."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import LiteralString

from psycopg import Connection, OperationalError
from psycopg.errors import UndefinedTable
from psycopg.rows import TupleRow, dict_row, tuple_row
from psycopg.sql import Identifier

from application.context import tenant_at_work
from application.errors import ProjectionIsLate, StoreIsUnavailable
from infrastructure.postgres.pool import Pool
from projections.kernel import Projection

_LIVE: LiteralString = """
    SELECT name, version, position FROM stratal.projections WHERE live AND name = ANY(%s)
"""
# Until the transaction ends. Outside of every context the session sees what it was opened to see.
_ENTER: LiteralString = """
    SELECT set_config('search_path', %s, true), set_config('transaction_read_only', 'on', true),
           set_config('stratal.tenant', coalesce(%s, current_setting('stratal.tenant', true)), true)
"""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 0.020
KNOWN_FOR_S = 1.0
"""How long the live versions are believed; a version that was switched off keeps its tables."""


class PostgresReadStore:
    """``projections.kernel.ReadStore`` over the tables of *projections*."""

    def __init__(self, pool: Pool, projections: Sequence[Projection]) -> None:
        self._pool = pool
        self._names = [each.name for each in projections]
        self._path: str | None = None
        self._all_live = False
        self._known_until = 0.0
        self._reached_by: Mapping[str, tuple[int, int]] = {}

    def rows(
        self,
        sql: LiteralString,
        params: Mapping[str, object],
        *,
        of: type[Projection] | None = None,
    ) -> Sequence[Mapping[str, object]]:
        """The rows of a query; bare table names mean the live version.

        Within a context they are its tenant's, whatever the query says.

        Raises:
            ProjectionIsLate: No runner has made its tables yet; try again.
            StoreIsUnavailable: The database does not answer.
        """
        del of  # the live versions of all of them are in reach
        path = self._search_path()
        try:
            with self._connection() as connection:
                return _read(connection, path, sql, params)
        except UndefinedTable as error:
            self._known_until = 0.0
            if self._all_live:
                raise
            raise ProjectionIsLate(1, 0) from error

    def wait_for(self, position: int, timeout_s: float) -> None:
        """Return once every projection has reached *position*.

        Raises:
            ProjectionIsLate: One has not within ``timeout_s``.
        """
        deadline, pause_s = monotonic() + timeout_s, FIRST_PAUSE_S
        while (reached := self._reached()) < position:
            if monotonic() + pause_s > deadline:
                raise ProjectionIsLate(position, reached)
            sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def keeps(self, of: type[Projection], position: int, timeout_s: float) -> bool:
        """Wait until *of* has come to *position*; whether its tables tell of the past up to there.

        They do not where queries still read the tables of another version.

        Raises:
            ProjectionIsLate: It has not come there within ``timeout_s``.
        """
        deadline, pause_s = monotonic() + timeout_s, FIRST_PAUSE_S
        if monotonic() > self._known_until:
            self._search_path()
        while True:
            version, reached = self._reached_by.get(of.name, (0, 0))
            if not of.past or version != of.version:
                return False
            if reached >= position:
                return True
            if monotonic() + pause_s > deadline:
                raise ProjectionIsLate(position, reached)
            sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            self._live()

    def _reached(self) -> int:
        positions = {name: position for name, _, position in self._live()}
        return min((positions.get(name, 0) for name in self._names), default=0)

    def _search_path(self) -> str:
        if self._path is None or monotonic() > self._known_until:
            self._live()
        assert self._path is not None
        return self._path

    def _live(self) -> Sequence[tuple[str, int, int]]:
        """The live versions; from now on queries read these.

        So whoever waited for a position reads tables that have reached it, also right after a
        version was switched.
        """
        with self._connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            live = cursor.execute(_LIVE, (self._names,), prepare=True).fetchall()
        self._reached_by = {name: (version, position) for name, version, position in live}
        self._all_live = len(live) == len(self._names)
        schemas = [Identifier(f"{name}_v{version}").as_string() for name, version, _ in live]
        self._path = ", ".join(schemas or ["pg_catalog"])
        self._known_until = monotonic() + KNOWN_FOR_S
        return live

    @contextmanager
    def _connection(self) -> Generator[Connection[TupleRow], None, None]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except OperationalError as error:
            raise StoreIsUnavailable("its read models do not answer") from error


def _read(
    connection: Connection[TupleRow],
    path: str,
    sql: LiteralString,
    params: Mapping[str, object],
) -> Sequence[Mapping[str, object]]:
    """Read in a transaction of its own, in one round trip: it ends with the pipeline."""
    cursor = connection.cursor(row_factory=dict_row)
    try:
        with connection.pipeline():
            connection.execute(_ENTER, (path, tenant_at_work()), prepare=True)
            cursor.execute(sql, params, prepare=True)
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
    return cursor.fetchall()
