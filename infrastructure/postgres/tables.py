"""What a database says of one of its tables; none of its rows is read, and nothing is changed."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, LiteralString

import psycopg

from domain.signature.from_table import Column, Table
from infrastructure.postgres.errors import PostgresError

_OPTIONS: Final = "-c default_transaction_read_only=on -c statement_timeout=10s"
_TABLE: LiteralString = """
    SELECT oid, relname::text, obj_description(oid, 'pg_class') FROM pg_class
    WHERE oid = to_regclass(%s) AND relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_BY_OID: LiteralString = """
    SELECT oid, relname::text, obj_description(oid, 'pg_class') FROM pg_class WHERE oid = %s
"""
_COLUMNS: LiteralString = """
    SELECT a.attname::text,
           format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL),
           a.attnotnull,
           col_description(a.attrelid, a.attnum),
           CASE WHEN t.typname IN ('varchar', 'bpchar', '_varchar', '_bpchar')
                     AND a.atttypmod > 4
                THEN a.atttypmod - 4 END,
           ARRAY(SELECT e.enumlabel::text FROM pg_enum e
                 WHERE e.enumtypid = coalesce(nullif(t.typelem, 0), t.oid)
                 ORDER BY e.enumsortorder),
           (SELECT f.confrelid FROM pg_constraint f
            WHERE f.contype = 'f' AND f.conrelid = a.attrelid AND f.conkey = ARRAY[a.attnum]
            ORDER BY f.oid LIMIT 1)
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
      AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
    ORDER BY a.attnum
"""


class TableIsUnknown(PostgresError):
    """The database has no such table, or whoever asks may read none of its columns."""

    code: ClassVar[str] = "table.unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no table {name} that this role may read. Name it with its schema,"
            " such as public.posts."
        )


class DatabaseIsUnreachable(PostgresError):
    code: ClassVar[str] = "table.database_unreachable"

    def __init__(self, why: str) -> None:
        super().__init__(f"The database cannot be asked: {why}. Check its address and the role.")


def described(url: str, name: str, *, levels: int = 1) -> Table:
    """The table called *name* in the database at *url*, as its role may see it.

    Tables that it refers to are described with it, at most *levels* deep and never within
    themselves.

    Raises:
        TableIsUnknown, DatabaseIsUnreachable: See there.
    """
    try:
        with psycopg.connect(url, options=_OPTIONS, connect_timeout=10) as connection:
            return _Catalog(connection).table(name, levels)
    except psycopg.Error as error:
        # The first line alone: the others may quote the address with its password.
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DatabaseIsUnreachable(said) from None


class _Catalog:
    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def table(self, name: str, levels: int) -> Table:
        table = self._found(_TABLE, name, levels, frozenset())
        if table is None or not table.columns:
            raise TableIsUnknown(name)
        return table

    def _found(
        self, query: LiteralString, key: object, levels: int, within: frozenset[int]
    ) -> Table | None:
        row = self._connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        oid, name, comment = row
        columns = self._connection.execute(_COLUMNS, (oid,)).fetchall()
        inside = within | {oid}
        return Table(name, tuple(self._column(it, levels, inside) for it in columns), comment)

    def _column(self, row: Sequence[Any], levels: int, within: frozenset[int]) -> Column:
        name, kind, is_required, comment, max_length, words, refers_to = row
        follows = refers_to is not None and levels > 0 and refers_to not in within
        related = self._found(_BY_OID, refers_to, levels - 1, within) if follows else None
        return Column(name, kind, is_required, comment, max_length, tuple(words), related)
