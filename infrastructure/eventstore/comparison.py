"""Compares the tables of two folds of one projection, row by row."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

EXAMPLES = 3

_TABLES: LiteralString = """
    SELECT tablename::text FROM pg_tables WHERE schemaname = %s ORDER BY tablename
"""
_HASH: LiteralString = """
    SELECT count(*), coalesce(sum(hashtextextended(this_row::text, 0)::numeric), 0)
    FROM {} AS this_row
"""
_ONLY_THERE: LiteralString = """
    SELECT this_row::text FROM {} AS this_row EXCEPT ALL SELECT this_row::text FROM {} AS this_row
    ORDER BY 1 LIMIT %s
"""


class TableDifference(NamedTuple):
    """A table that differs: how many rows there are, and the first ones that only one side has."""

    table: str
    rows: int
    rows_of_fold: int
    only_here: Sequence[str]
    only_in_fold: Sequence[str]


def differences(
    connection: Connection[TupleRow], here: str, fold: str
) -> Sequence[TableDifference]:
    """The tables whose rows differ between the schemas *here* and *fold*.

    Row hashes are summed up on the server; rows are fetched only where the sums differ. Both are
    seen at one moment if the transaction of *connection* is a repeatable read.
    """
    mine, theirs = _tables(connection, here), _tables(connection, fold)
    missing = [TableDifference(table, 0, 0, (), ()) for table in sorted(mine ^ theirs)]
    both = [_compared(connection, here, fold, table) for table in sorted(mine & theirs)]
    return missing + [each for each in both if each is not None]


def _tables(connection: Connection[TupleRow], schema: str) -> set[str]:
    return {table for (table,) in connection.execute(_TABLES, (schema,)).fetchall()}


def _compared(
    connection: Connection[TupleRow], here: str, fold: str, table: str
) -> TableDifference | None:
    mine, theirs = (_hash(connection, schema, table) for schema in (here, fold))
    if mine == theirs:
        return None
    return TableDifference(
        table,
        mine[0],
        theirs[0],
        _only(connection, here, fold, table),
        _only(connection, fold, here, table),
    )


def _hash(connection: Connection[TupleRow], schema: str, table: str) -> tuple[int, object]:
    row = connection.execute(SQL(_HASH).format(Identifier(schema, table))).fetchone()
    assert row is not None
    return row[0], row[1]


def _only(connection: Connection[TupleRow], schema: str, other: str, table: str) -> Sequence[str]:
    query = SQL(_ONLY_THERE).format(Identifier(schema, table), Identifier(other, table))
    return [row for (row,) in connection.execute(query, (EXAMPLES,)).fetchall()]
