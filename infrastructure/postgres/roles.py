"""Two roles: the owner makes the tables, the service uses them and cannot change the log."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from infrastructure.postgres.errors import HandOverIsRefused, RoleIsTooPowerful
from infrastructure.postgres.locks import lock_key
from infrastructure.postgres.sessions import session

SERVICE_ROLE = "stratal_service"
"""The service's role in the embedded server. Not plain ``stratal``: Postgres would look for every
table without a schema in the one that is called as the role."""


class Access(NamedTuple):
    """The addresses of one database: the service's, and its owner's where that is known."""

    service: str
    owner: str | None


class Rights(NamedTuple):
    """Tables of ``stratal`` that the service writes by itself; all others it reads.

    Of ``changes`` it may insert, update and delete rows, to ``adds`` it may only add some. What it
    only reads, such as the log, it writes through functions of the owner, which see to what the
    rows must be. So a partition that was detached is no more open to it than it was before.
    """

    changes: Sequence[str]
    adds: Sequence[str]


_TABLES: LiteralString = """
    SELECT relname::text, relispartition FROM pg_class
    WHERE relnamespace = 'stratal'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
    ORDER BY relname
"""
_READ_MODELS: LiteralString = """
    SELECT nspname::text FROM pg_namespace
    WHERE nspname IN (SELECT name || '_v' || version FROM stratal.projections)
      AND nspowner <> (SELECT oid FROM pg_roles WHERE rolname = %s)
"""
_RELATIONS: LiteralString = """
    SELECT relname::text FROM pg_class
    WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
"""
_POWERS: LiteralString = """
    WITH role AS MATERIALIZED (
        SELECT oid, rolsuper, rolcreaterole, rolbypassrls FROM pg_roles
        WHERE rolname IN (current_user, session_user)
    ), kept AS MATERIALIZED (
        -- Not by regnamespace, which a role without a right to the schema may not ask.
        SELECT c.oid::regclass AS relation, c.relowner, c.relkind = 'S' AS is_sequence, CASE
                WHEN c.relkind = 'S' THEN '{USAGE,UPDATE}'::text[]
                WHEN c.relname = ANY (%(adds)s::text[]) THEN '{UPDATE,DELETE,TRUNCATE,TRIGGER}'
                ELSE '{INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER}'
            END AS privileges
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'stratal' AND c.relkind IN ('r', 'p', 'S')
          AND c.relname <> ALL (%(changes)s::text[])
    )
    SELECT 'is a superuser' FROM role WHERE rolsuper
    UNION ALL
    SELECT 'may create roles' FROM role WHERE rolcreaterole AND NOT rolsuper
    UNION ALL
    SELECT 'bypasses row-level security' FROM role WHERE rolbypassrls AND NOT rolsuper
    UNION ALL
    SELECT 'is a member of ' || name FROM role, unnest(
        '{pg_write_all_data,pg_write_server_files,pg_execute_server_program}'::text[]) AS name
    WHERE NOT rolsuper AND pg_has_role(role.oid, name, 'MEMBER')
    UNION ALL
    SELECT 'owns the schema ' || nspname FROM role, pg_namespace
    WHERE NOT rolsuper AND nspname = 'stratal' AND pg_has_role(role.oid, nspowner, 'MEMBER')
    UNION ALL
    SELECT 'owns ' || relation FROM role, kept
    WHERE NOT rolsuper AND pg_has_role(role.oid, relowner, 'MEMBER')
    UNION ALL
    SELECT 'has ' || privilege || ' on ' || relation
    FROM role, kept, unnest(privileges) AS privilege
    WHERE NOT rolsuper AND CASE
        WHEN is_sequence THEN has_sequence_privilege(role.oid, relation, privilege)
        ELSE has_table_privilege(role.oid, relation, privilege)
    END
    UNION ALL
    SELECT 'has UPDATE on a column of ' || relation FROM role, kept
    WHERE NOT rolsuper AND NOT is_sequence
      AND NOT has_table_privilege(role.oid, relation, 'UPDATE')
      AND has_any_column_privilege(role.oid, relation, 'UPDATE')
"""
"""All that a session could do to the log, or past the walls, as itself or after ``SET ROLE``."""


def make_role(owner: str, name: str) -> None:
    """Make the login role *name* without a password if there is none; one starter at a time."""
    with psycopg.connect(session(owner, "roles"), autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name])
        if known.fetchone() is None:
            connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(name)))


def grant(access: Access, rights: Rights) -> None:
    """Give the service's role its *rights* in ``stratal``, and take all others away.

    A partition is read through its table alone. *access* needs the owner's address.

    Raises:
        HandOverIsRefused: Read models of an older release belong to another role.
        psycopg.OperationalError: One of the two cannot connect.
    """
    assert access.owner is not None
    with psycopg.connect(session(access.service, "boot"), autocommit=True) as connection:
        role = _one(connection, "SELECT current_user::text")
    where = session(access.owner, "roles", limited=False)
    with psycopg.connect(where, autocommit=True) as connection:
        # Two who grant at once would fail with "tuple concurrently updated".
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("migrations")])
        if role == _one(connection, "SELECT current_user::text"):
            return  # one role is both; `check_role` says what that means
        with connection.transaction():
            _grant(connection, Identifier(role), rights)
            _hand_over(connection, role)


def check_role(service: str, rights: Rights) -> str:
    """Make sure that the service's role cannot change the log; return its name.

    Raises:
        RoleIsTooPowerful: It can; the message says by what, and what to do.
        psycopg.OperationalError: It cannot connect.
    """
    with psycopg.connect(session(service, "boot"), autocommit=True) as connection:
        role = _one(connection, "SELECT current_user::text")
        tables = {"changes": list(rights.changes), "adds": list(rights.adds)}
        found = connection.execute(_POWERS, tables).fetchall()
    if found:
        raise RoleIsTooPowerful(role, sorted({power for (power,) in found}))
    return role


def _grant(connection: Connection[TupleRow], role: Identifier, rights: Rights) -> None:
    granted = dict.fromkeys(rights.adds, SQL("SELECT, INSERT"))
    granted |= dict.fromkeys(rights.changes, SQL("SELECT, INSERT, UPDATE, DELETE"))
    tables: list[tuple[str, bool]] = connection.execute(_TABLES).fetchall()
    for table, is_partition in tables:
        name = Identifier("stratal", table)
        connection.execute(SQL("REVOKE ALL ON {} FROM {}").format(name, role))
        if not is_partition:
            given = granted.get(table, SQL("SELECT"))
            connection.execute(SQL("GRANT {} ON {} TO {}").format(given, name, role))
    database = Identifier(_one(connection, "SELECT current_database()::text"))
    for statement in (
        SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}").format(database, role),
        SQL("GRANT USAGE ON SCHEMA stratal TO {}").format(role),
        # Positions and times are given by functions of the owner, a row's own number with the row.
        SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA stratal FROM {}").format(role),
        SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA stratal TO {}").format(role),
    ):
        connection.execute(statement)


def _hand_over(connection: Connection[TupleRow], role: str) -> None:
    """Give the service the read models that its owner made before there were two roles."""
    to = Identifier(role)
    for (schema,) in connection.execute(_READ_MODELS, [role]).fetchall():
        named = Identifier(schema)
        try:
            connection.execute(SQL("ALTER SCHEMA {} OWNER TO {}").format(named, to))
            for (table,) in connection.execute(_RELATIONS, [schema]).fetchall():
                alter = SQL("ALTER TABLE {} OWNER TO {}")
                connection.execute(alter.format(Identifier(schema, table), to))
        except psycopg.errors.InsufficientPrivilege as error:
            raise HandOverIsRefused(schema, role) from error


def _one(connection: Connection[TupleRow], query: LiteralString) -> str:
    row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])
