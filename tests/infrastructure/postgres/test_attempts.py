"""Commands that left no event are kept soon, bounded, and in nobody's way."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from infrastructure.postgres.attempts import AttemptLog, Bounds
from infrastructure.postgres.pool import Pool, open_pool
from tests.support.attempts import an_attempt
from tests.support.postgres import owner_of

pytestmark = pytest.mark.postgres


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    with open_pool(database, min_size=1, max_size=2, name="attempts") as found:
        yield found


def kept(pool: Pool, tenant: str = "acme") -> list[str]:
    """The reasons of all that is kept, the oldest first."""
    sql = "SELECT reason FROM stratal.attempts WHERE tenant = %s ORDER BY id"
    with pool.connection() as connection:
        return [reason for (reason,) in connection.execute(sql, [tenant]).fetchall()]


def left_out(pool: Pool) -> int:
    with pool.connection() as connection:
        row = connection.execute(
            "SELECT coalesce(sum(left_out), 0) FROM stratal.attempts"
        ).fetchone()
    assert row is not None
    return int(row[0])


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def held_up(database: str) -> Iterator[None]:
    """Nothing can be written to the table during the block."""
    with psycopg.connect(owner_of(database)) as connection:
        connection.execute("LOCK TABLE stratal.attempts IN EXCLUSIVE MODE")
        yield


def test_an_attempt_is_kept_as_it_was(pool: Pool) -> None:
    attempt = an_attempt()
    with AttemptLog(pool) as log:
        log.note(attempt)
    columns = (
        "tenant, actor, operation, command, aggregate_id, outcome, code, reason, status,"
        " address_mode, address, correlation_id, left_out"
    )
    with pool.connection() as connection:
        rows = connection.execute(f"SELECT {columns} FROM stratal.attempts").fetchall()
    assert rows == [
        (
            "acme",
            "ann",
            "POST /v1/programs",
            "CreateProgram",
            attempt.aggregate_id,
            "refused",
            "name.taken",
            "It is taken.",
            409,
            "network",
            "203.0.113.0/24",
            attempt.correlation_id,
            0,
        )
    ]


@pytest.mark.feature("AUD-01")
def test_ten_thousand_refusals_at_once_stay_bounded_and_those_left_out_are_counted(
    pool: Pool, database: str
) -> None:
    bounds = Bounds(waiting=400, waiting_of_a_tenant=200, kept_of_a_tenant=100)
    with AttemptLog(pool, bounds) as log:
        with held_up(database):
            for number in range(10_000):
                log.note(an_attempt(reason=str(number)))
            log.note(an_attempt("other"))
        wait_until(lambda: left_out(pool) > 9_000)
        log.note(an_attempt(reason="the last"))
    assert len(kept(pool)) == 100
    assert kept(pool)[-1] == "the last"
    assert len(kept(pool, "other")) == 1


def test_of_all_tenants_together_the_oldest_go_first(pool: Pool) -> None:
    with AttemptLog(pool, Bounds(kept=50)) as log:
        for number in range(90):
            log.note(an_attempt(f"t{number % 3}", reason=str(number)))
    found = [reason for tenant in ("t0", "t1", "t2") for reason in kept(pool, tenant)]
    assert sorted(map(int, found)) == list(range(40, 90))


def test_many_tenants_that_nobody_knows_take_no_memory(pool: Pool) -> None:
    log = AttemptLog(pool, Bounds(waiting=10))
    for number in range(1_000):
        log.note(an_attempt(f"t{number}"))
    assert len(log._waiting) == 10
    assert len(log._left_out) == 10


def test_while_the_table_cannot_be_written_attempts_wait(
    pool: Pool, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    owner = psycopg.connect(owner_of(database), autocommit=True)
    with owner, AttemptLog(pool) as log:
        owner.execute("ALTER TABLE stratal.attempts RENAME TO elsewhere")
        log.note(an_attempt(reason="first"))
        wait_until(lambda: "cannot be kept for now" in caplog.text)
        log.note(an_attempt(reason="second"))
        owner.execute("ALTER TABLE stratal.elsewhere RENAME TO attempts")
        wait_until(lambda: len(kept(pool)) == 2)
    assert kept(pool) == ["first", "second"]


def test_a_table_that_is_gone_for_good_holds_no_stop_up(
    pool: Pool, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with psycopg.connect(owner_of(database), autocommit=True) as owner:
        owner.execute("DROP TABLE stratal.attempts")
    with AttemptLog(pool) as log:
        log.note(an_attempt())
    assert "1 attempts are lost" in caplog.text
