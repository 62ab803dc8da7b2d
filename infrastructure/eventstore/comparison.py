"""Compares the tables of two folds of one projection, row by row."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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


class _Hash(NamedTuple):
    """How many rows a table has, and the sum of their hashes."""

    rows: int
    total: object


class Side(NamedTuple):
    """The tables of *schema*, as *connection* sees them."""

    connection: Connection[TupleRow]
    schema: str


def differences(here: Side, fold: Side) -> Sequence[TableDifference]:
    """The tables whose rows differ between *here* and the *fold*, whose tables do not change.

    Row hashes are summed up on the server, of both sides at once; rows are fetched only where the
    sums differ, all over the connection of *here*, which must see both sides as they are.
    """
    with ThreadPoolExecutor(2, "hashes") as both:
        mine, theirs = both.map(_hashes, (here, fold))
    missing = [
        TableDifference(table, 0, 0, (), ()) for table in sorted(mine.keys() ^ theirs.keys())
    ]
    return missing + [
        TableDifference(
            table,
            mine[table].rows,
            theirs[table].rows,
            _only(here, fold.schema, table),
            _only(Side(here.connection, fold.schema), here.schema, table),
        )
        for table in sorted(mine.keys() & theirs.keys())
        if mine[table] != theirs[table]
    ]


def _hashes(side: Side) -> dict[str, _Hash]:
    tables = side.connection.execute(_TABLES, (side.schema,)).fetchall()
    return {table: _hash(side, table) for (table,) in tables}


def _hash(side: Side, table: str) -> _Hash:
    query = SQL(_HASH).format(Identifier(side.schema, table))
    row = side.connection.execute(query).fetchone()
    assert row is not None
    return _Hash(*row)


def _only(side: Side, other: str, table: str) -> Sequence[str]:
    """The first rows of *side* that the schema *other* lacks."""
    query = SQL(_ONLY_THERE).format(Identifier(side.schema, table), Identifier(other, table))
    return [row for (row,) in side.connection.execute(query, (EXAMPLES,)).fetchall()]
