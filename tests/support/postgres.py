"""One Postgres for a test session, shared by its workers; a database of its own for each test."""

import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.roles import SERVICE_ROLE, Access, make_role

_HOME = "PYTEST_POSTGRES_HOME"
_PREFIX = "stratal-tests-"


def migrations() -> Sequence[tuple[str, LiteralString]]:
    """What every test's database starts with: what a service's has."""
    from infrastructure import (
        bootstrap,
    )  # takes most of a second; tests without a database do not pay

    return bootstrap.migrations()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the home of the session's cluster; the workers of pytest-xdist inherit its name."""
    if not hasattr(config, "workerinput"):
        for home in _place().glob(f"{_PREFIX}*"):
            _remove_if_orphaned(home)
        os.environ[_HOME] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_place())


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _remove(Path(os.environ.pop(_HOME)))


def prepared(owner: str) -> str:
    """Make the tables of the database at *owner*, as a start does; the service's address."""
    from infrastructure import bootstrap  # see above

    make_role(owner, SERVICE_ROLE)
    access = Access(service_of(owner), owner)
    # The cluster of a test may do without fsync, which `prepare` refuses.
    bootstrap.prepare_tables(access)
    with psycopg.connect(owner, autocommit=True) as connection:
        # Tests put tables of their own there.
        right = sql.SQL("GRANT CREATE ON SCHEMA public TO {}")
        connection.execute(right.format(sql.Identifier(SERVICE_ROLE)))
    return access.service


def service_of(owner: str) -> str:
    """The address for the service's role; a test's own session sees the rows of every tenant."""
    return make_conninfo(owner, user=SERVICE_ROLE, options="-c stratal.tenant=*")


def owner_of(service: str) -> str:
    """The address for the owner of the tables, who may tamper with the log."""
    return make_conninfo(service, user="postgres")


@pytest.fixture(scope="session")
def cluster() -> str:
    """The address of the session's server for its superuser."""
    return EmbeddedPostgres(Path(os.environ[_HOME])).start()


@pytest.fixture(scope="session")
def template(cluster: str) -> str:
    """The name of a database with every migration applied; made by whichever worker comes first."""
    text = repr(list(migrations()))
    name = f"template_{sha256(text.encode()).hexdigest()[:12]}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is None:
            unready = f"unready_{name}"
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unready)))
            prepared(make_conninfo(cluster, dbname=unready))
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(unready), sql.Identifier(name)))
    return name


@pytest.fixture
def empty_database(cluster: str) -> Iterator[str]:
    """The superuser's address of a fresh database without tables, gone after the test."""
    with copy_of("template1", cluster) as conninfo:
        yield owner_of(conninfo)


@pytest.fixture
def database(cluster: str, template: str) -> Iterator[str]:
    """The service's address of a fresh database with every table, gone after the test."""
    with copy_of(template, cluster) as conninfo:
        yield conninfo


@contextmanager
def copy_of(template: str, cluster: str) -> Generator[str, None, None]:
    """The service's address of a copy of *template* in *cluster*, gone after the block."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        # Copying files is twice as fast here as writing the copy through the log.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        # The rights of a database are the one thing that a copy lacks.
        right = sql.SQL("GRANT CREATE ON DATABASE {} TO {}")
        connection.execute(right.format(sql.Identifier(name), sql.Identifier(SERVICE_ROLE)))
    yield service_of(make_conninfo(cluster, dbname=name))
    with psycopg.connect(cluster, autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        connection.execute(drop.format(sql.Identifier(name)))


def _place() -> Path:
    """In memory where there is plenty: databases come and go all the time, none lasts."""
    memory = Path("/dev/shm")
    plenty = memory.is_dir() and shutil.disk_usage(memory).free > 4_000_000_000
    return memory if plenty else Path(tempfile.gettempdir())


def _remove_if_orphaned(home: Path) -> None:
    """Clear up after a session that was killed."""
    owner = re.match(rf"{_PREFIX}(\d+)-", home.name)
    if owner and home.stat().st_uid == os.geteuid():
        try:
            os.kill(int(owner[1]), 0)
        except ProcessLookupError:
            _remove(home)


def _remove(home: Path) -> None:
    EmbeddedPostgres(home).stop()
    with suppress(FileNotFoundError):
        shutil.rmtree(home)
