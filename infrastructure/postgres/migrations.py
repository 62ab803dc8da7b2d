"""Brings the tables up to date: each migration once, however many processes start together."""

import hashlib
from collections.abc import Sequence
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg.rows import TupleRow

from infrastructure.postgres.errors import (
    DatabaseIsNewer,
    DatabaseIsNotPrepared,
    MigrationWasChanged,
)
from infrastructure.postgres.locks import lock_key
from infrastructure.postgres.sessions import session


class Migration(NamedTuple):
    """One step; its text is never changed once it was applied. A plain pair will do too."""

    name: str
    sql: LiteralString


_TABLE = """
CREATE SCHEMA IF NOT EXISTS stratal;
CREATE TABLE IF NOT EXISTS stratal.migrations (
    name text PRIMARY KEY,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


def migrate(conninfo: str, migrations: Sequence[tuple[str, LiteralString]]) -> list[str]:
    """Apply what is missing, in order; return the names of what was applied now.

    Raises:
        DatabaseIsNewer: The database holds a migration that is not in the list; nothing is done.
        MigrationWasChanged: One was applied with another text; nothing is done.
        psycopg.Error: One failed; it left nothing behind, those before it stay.
    """
    # Later starters wait here for the first one, however long its migrations take.
    where = session(conninfo, "migrations", limited=False)
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("migrations")])
        applied = _applied(connection)
        missing = _missing(migrations, applied)
        for name, sql in missing:
            with connection.transaction():
                connection.execute(sql)
                connection.execute(
                    "INSERT INTO stratal.migrations (name, digest) VALUES (%s, %s)",
                    [name, _digest(sql)],
                )
        return [name for name, _ in missing]


def check_migrated(conninfo: str, migrations: Sequence[tuple[str, LiteralString]]) -> None:
    """Make sure that nothing is missing, for a role that could not apply it.

    Raises:
        DatabaseIsNotPrepared: Some are missing; they are named.
        DatabaseIsNewer, MigrationWasChanged: As above.
    """
    with psycopg.connect(session(conninfo, "migrations"), autocommit=True) as connection:
        try:
            applied = _read(connection)
        except (UndefinedTable, InsufficientPrivilege):
            applied = {}
    if missing := _missing(migrations, applied):
        raise DatabaseIsNotPrepared([name for name, _ in missing])


def _applied(connection: Connection[TupleRow]) -> dict[str, str]:
    connection.execute(_TABLE)
    return _read(connection)


def _read(connection: Connection[TupleRow]) -> dict[str, str]:
    return dict(connection.execute("SELECT name, digest FROM stratal.migrations").fetchall())


def _missing(
    migrations: Sequence[tuple[str, LiteralString]], applied: dict[str, str]
) -> list[tuple[str, LiteralString]]:
    if unknown := sorted(applied.keys() - {name for name, _ in migrations}):
        raise DatabaseIsNewer(unknown)
    for name, sql in migrations:
        if name in applied and applied[name] != _digest(sql):
            raise MigrationWasChanged(name)
    return [(name, sql) for name, sql in migrations if name not in applied]


def _digest(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()
