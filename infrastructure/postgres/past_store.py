"""Read models as they were at one position of the log, for one tenant."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from threading import BoundedSemaphore
from typing import Final, LiteralString, Protocol

from psycopg import Connection, OperationalError
from psycopg.errors import QueryCanceled
from psycopg.rows import TupleRow, dict_row

from application.errors import AsOfIsAhead, AsOfIsBusy, AsOfIsTooCostly, StoreIsUnavailable
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.read_store import PostgresReadStore
from projections.kernel import Projection, ReadStore

LATE_AFTER_S: Final = 5.0
"""How long a question waits for a read model to come to the position that it asks about."""
FOLDS_AT_ONCE: Final = 2
BUSY_AFTER_S: Final = 5.0
FOLD_LIMIT_S: Final = 10.0

_HEAD: LiteralString = "SELECT stratal.head()"
_APPENDS_ARE_OVER: LiteralString = """
    SELECT pg_advisory_xact_lock_shared(7301, 1)
    WHERE %(at)s > clock_timestamp() - interval '15 s'
"""
"""An append under way may have a time already and be seen only later: what is recent waits for it,
so that the same question has the same answer for ever."""
_POSITION_AT: LiteralString = "SELECT stratal.position_at(%(at)s), %(at)s >= clock_timestamp()"


class Fold(Protocol):
    def __call__(
        self,
        connection: Connection[TupleRow],
        projection: type[Projection],
        *,
        tenant: str,
        position: int,
        limit_s: float,
    ) -> None:
        """Make the tables of *projection* as they were at *position*, for the transaction.

        Raises:
            TimeoutError: It takes longer than *limit_s*.
        """
        ...


class PostgresPast:
    """Answers questions about the past: from what a read model keeps of it, or by a fold."""

    def __init__(self, pool: Pool, store: PostgresReadStore, fold: Fold) -> None:
        self._pool, self._store, self._fold = pool, store, fold
        self._folding = BoundedSemaphore(FOLDS_AT_ONCE)
        self._head = 0

    def position(self, as_of: int | datetime) -> int:
        """The position that *as_of* means: of a time, the last one recorded at or before it.

        Raises:
            AsOfIsAhead: The log has not come there: the answer would be another one later.
            StoreIsUnavailable: The database does not answer.
        """
        if isinstance(as_of, datetime):
            return self._position_at(as_of)
        if as_of > self._head:  # which only grows
            with self._connection() as connection:
                self._head = _int(connection, _HEAD)
        if as_of > self._head:
            raise AsOfIsAhead(as_of, self._head)
        return as_of

    @contextmanager
    def at(self, tenant: str, position: int) -> Generator[ReadStore, None, None]:
        """The read models of *tenant* as they were at *position*, for the block."""
        with ExitStack() as stack:
            yield _AsOf(self, stack, tenant, position)

    def kept(
        self,
        of: type[Projection],
        position: int,
        *,
        sql: LiteralString,
        params: Mapping[str, object],
    ) -> Sequence[Mapping[str, object]] | None:
        """The rows of a query as of *position*, or ``None`` where *of* does not keep its past.

        Raises:
            ProjectionIsLate: It does, and has not come to *position* within ``LATE_AFTER_S``.
        """
        if not self._store.keeps(of, position, LATE_AFTER_S):
            return None
        past: LiteralString = "WITH " + ", ".join(of.past) + sql
        return self._store.rows(past, {**params, "as_of": position}, of=of)

    @contextmanager
    def session(self) -> Generator[Connection[TupleRow], None, None]:
        """A transaction to fold in, of which nothing stays.

        Raises:
            AsOfIsBusy: As many as there may be are under way.
        """
        if not self._folding.acquire(timeout=BUSY_AFTER_S):
            raise AsOfIsBusy(FOLDS_AT_ONCE)
        try:
            with self._connection() as connection:
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    if not connection.closed:
                        connection.rollback()
        finally:
            self._folding.release()

    def fold(
        self, connection: Connection[TupleRow], of: type[Projection], *, tenant: str, position: int
    ) -> None:
        """Have bare table names of *of* mean its tables at *position*, in the session.

        Raises:
            AsOfIsTooCostly: It would take too long.
        """
        with self.limited(of, position):
            self._fold(connection, of, tenant=tenant, position=position, limit_s=FOLD_LIMIT_S)

    @contextmanager
    def limited(self, of: type[Projection], position: int) -> Generator[None, None, None]:
        """For what a fold does and for the queries of its tables: they share its time.

        Raises:
            AsOfIsTooCostly: It is over.
        """
        try:
            yield
        except (QueryCanceled, TimeoutError) as error:
            raise AsOfIsTooCostly(of.name, position, FOLD_LIMIT_S) from error

    def _position_at(self, at: datetime) -> int:
        with self._connection() as connection, connection.transaction():
            connection.execute(_APPENDS_ARE_OVER, {"at": at}, prepare=True)
            row = connection.execute(_POSITION_AT, {"at": at}, prepare=True).fetchone()
            assert row is not None
            position, is_ahead = row
            if is_ahead:
                raise AsOfIsAhead(at, _int(connection, _HEAD))
        return int(position)

    @contextmanager
    def _connection(self) -> Generator[Connection[TupleRow], None, None]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except OperationalError as error:
            raise StoreIsUnavailable("its log does not answer", "Try again.") from error


class _AsOf:
    """``projections.kernel.ReadStore`` as of one position; what has to be folded is folded once."""

    def __init__(self, past: PostgresPast, stack: ExitStack, tenant: str, position: int) -> None:
        self._past, self._stack = past, stack
        self._tenant, self._position = tenant, position
        self._session: Connection[TupleRow] | None = None
        self._folded = set[type[Projection]]()

    def rows(
        self,
        sql: LiteralString,
        params: Mapping[str, object],
        *,
        of: type[Projection] | None = None,
    ) -> Sequence[Mapping[str, object]]:
        """The rows of a query about the read model *of*, as it was.

        Raises:
            ProjectionIsLate: It keeps its past and has not come to the position yet.
            AsOfIsTooCostly, AsOfIsBusy: It keeps none; see there.
        """
        assert of is not None, "A query over several read models is about the present."
        kept = self._past.kept(of, self._position, sql=sql, params=params)
        if kept is not None:
            return kept
        connection = self._tables_of(of)
        with self._past.limited(of, self._position):
            return connection.cursor(row_factory=dict_row).execute(sql, params).fetchall()

    def _tables_of(self, of: type[Projection]) -> Connection[TupleRow]:
        if self._session is None:
            self._session = self._stack.enter_context(self._past.session())
        if of not in self._folded:
            self._past.fold(self._session, of, tenant=self._tenant, position=self._position)
            self._folded.add(of)
        return self._session


def _int(connection: Connection[TupleRow], sql: LiteralString) -> int:
    row = connection.execute(sql, prepare=True).fetchone()
    assert row is not None
    return int(row[0])
