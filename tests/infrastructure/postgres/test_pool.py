import time
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from application.errors import StoreIsUnavailable
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.pool import open_pool

pytestmark = pytest.mark.postgres


def test_trap_03_every_session_has_limits_and_a_name(database: str) -> None:
    pool = open_pool(database, min_size=1, max_size=1, name="api")
    with pool, pool.connection() as connection:
        assert connection.autocommit
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM unnest(ARRAY["
            "'idle_in_transaction_session_timeout', 'lock_timeout', 'statement_timeout',"
            "'application_name', 'timezone']) AS name"
        ).fetchall()
        libpq = {each.keyword.decode(): each.val for each in connection.pgconn.info if each.val}
    assert dict(rows) == {
        "idle_in_transaction_session_timeout": "3s",
        "lock_timeout": "5s",
        "statement_timeout": "10s",
        "application_name": "stratal api",
        "timezone": "UTC",
    }
    assert (libpq["keepalives_idle"], libpq["tcp_user_timeout"]) == (b"5", b"10000")


@pytest.mark.slow
def test_trap_03_a_session_that_stalls_in_a_transaction_lets_go_of_its_locks(database: str) -> None:
    with open_pool(database, min_size=2, max_size=2, name="test") as pool:
        stalled, waiting = pool.getconn(), pool.getconn()
        stalled.execute("BEGIN; LOCK TABLE stratal.jobs IN EXCLUSIVE MODE")
        began = time.monotonic()
        waiting.execute("BEGIN; LOCK TABLE stratal.jobs IN EXCLUSIVE MODE; COMMIT")
        assert 2 < time.monotonic() - began < 4.5
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            stalled.execute("SELECT 1")
        pool.putconn(waiting)
        pool.putconn(stalled)


def test_options_of_the_address_are_kept(database: str) -> None:
    with_options = psycopg.conninfo.make_conninfo(database, options="-c work_mem=5MB")
    pool = open_pool(with_options, min_size=1, max_size=1, name="test")
    with pool, pool.connection() as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("5s",)


def test_an_exhausted_pool_refuses_soon(database: str) -> None:
    with open_pool(database, min_size=1, max_size=1, name="test") as pool:
        with pool.connection():
            began = time.monotonic()
            with pytest.raises(PoolTimeout), pool.connection():
                pass
            assert 1.5 < time.monotonic() - began < 4
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_that_was_cut_is_not_handed_out(database: str) -> None:
    with open_pool(database, min_size=1, max_size=2, name="test") as pool:
        with pool.connection() as connection:
            pid = connection.info.backend_pid
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.slow
def test_the_pool_is_back_within_seconds_of_the_database(home: Path) -> None:
    server = EmbeddedPostgres(home)
    with open_pool(server.start(), min_size=2, max_size=4, name="test") as pool:
        server.stop()
        gone_until = time.monotonic() + 9  # long enough for every first attempt to have given up
        while time.monotonic() < gone_until:
            with pytest.raises(psycopg.OperationalError), pool.connection() as connection:
                connection.execute("SELECT 1")
        server.start()
        back = time.monotonic()
        while time.monotonic() - back < 30:
            try:
                with pool.connection() as connection:
                    connection.execute("SELECT 1")
                break
            except PoolTimeout:
                continue
        assert time.monotonic() - back < 10


def test_a_database_that_is_not_there_is_reported(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.postgres.pool._OPEN_TIMEOUT_S", 1)
    with pytest.raises(StoreIsUnavailable):
        open_pool(EmbeddedPostgres(home).url, min_size=1, max_size=1, name="test")
