"""A dump is restored under two roles, as ``docs/how-to/back-up.md`` says."""

import subprocess
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infrastructure import bootstrap
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.postgres.binaries import find_binaries
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.roles import SERVICE_ROLE, Access
from tests.support.postgres import owner_of

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def append(conninfo: str) -> int:
    with open_pool(conninfo, min_size=1, max_size=1, name="test") as pool:
        event = StoredEvent(uuid4(), 1, "program.retired", b"{}")
        return PostgresRecorder(pool).insert_events([event])[-1]


def call(tool: str, *words: str) -> None:
    subprocess.run([find_binaries(None) / tool, *words], check=True, timeout=60)


def test_a_restored_log_goes_on_under_an_owner_that_is_no_superuser(
    database: str, cluster: str, tmp_path: Path
) -> None:
    assert append(database) == 1
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA board_v1; CREATE TABLE board_v1.rows AS SELECT 1 AS n")
        connection.execute("INSERT INTO stratal.projections (name, version) VALUES ('board', 1)")
    dump, name = str(tmp_path / "stratal.dump"), f"restored_{uuid4().hex}"
    call("pg_dump", "--format=custom", f"--file={dump}", owner_of(database))

    owner = sql.Identifier(name)
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(owner))
        service = sql.Identifier(SERVICE_ROLE)
        connection.execute(sql.SQL("GRANT {} TO {}").format(service, owner))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(owner, owner))
    access = Access(
        service=make_conninfo(cluster, dbname=name, user=SERVICE_ROLE),
        owner=make_conninfo(cluster, dbname=name, user=name),
    )
    try:
        call("pg_restore", "--no-owner", "--no-acl", f"--dbname={access.owner}", dump)
        assert bootstrap.prepare(access) == SERVICE_ROLE
        assert append(access.service) == 2
        with psycopg.connect(access.service) as connection:
            connection.execute("UPDATE board_v1.rows SET n = 2")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DELETE FROM stratal.events")
    finally:
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(owner))
            connection.execute(sql.SQL("DROP ROLE {}").format(owner))
