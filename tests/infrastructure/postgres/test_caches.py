"""Caches in Postgres: expiry by its clock, one maker over all processes, and life without it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from application.caching import Kept
from domain.values import Cache
from infrastructure.postgres.caches import PostgresCache
from infrastructure.postgres.flights import Flights
from infrastructure.postgres.pool import Pool, open_pool
from tests.contracts.cache import CacheContract, kept, owed, settle, took
from tests.support.caches import PROVIDER, MemoryCache
from tests.support.postgres import owner_of

HOUR_S = 3600.0


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    with open_pool(database, min_size=1, max_size=8, name="caches", walled=True) as opened:
        yield opened


@pytest.fixture
def cache(database: str, pool: Pool) -> Iterator[PostgresCache]:
    flights = Flights(database)
    yield PostgresCache(pool, flights, Cache.ANSWERS, PROVIDER, HOUR_S)
    flights.close()


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self) -> MemoryCache:
        return MemoryCache()


class TestPostgresCache(CacheContract):
    @pytest.fixture
    def cache(self, cache: PostgresCache) -> PostgresCache:
        return cache


def aged(database: str, seconds: int) -> None:
    """Have so much time pass for all that is kept."""
    with psycopg.connect(owner_of(database)) as connection:
        connection.execute(
            "UPDATE stratal.cache SET expires_at = expires_at - make_interval(secs => %s)",
            [seconds],
        )


@pytest.mark.feature("CCH-02")
@pytest.mark.feature("CCH-03")
def test_cch_03_an_answer_is_served_for_an_hour_and_cch_02_never_after_it(
    cache: PostgresCache, database: str
) -> None:
    settle(owed(cache, "one"), kept("a text"))
    with psycopg.connect(owner_of(database)) as connection:
        [[seconds]] = connection.execute(
            "SELECT extract(epoch FROM expires_at - kept_at) FROM stratal.cache"
        ).fetchall()
    assert seconds == HOUR_S
    aged(database, 3_500)
    assert isinstance(took(cache, "one"), Kept)
    aged(database, 101)
    debt = owed(cache, "one")
    again = kept("a newer text")
    settle(debt, again)
    assert took(cache, "one") == again


@pytest.mark.feature("CCH-02")
def test_cch_02_what_has_expired_goes_away_as_other_things_come(
    cache: PostgresCache, database: str
) -> None:
    for number in range(15):
        settle(owed(cache, f"old {number}"), kept("a text"))
    settle(owed(cache, "of another", tenant="globex"), kept("a text"), tenant="globex")
    aged(database, 3_601)
    for number in range(2):
        settle(owed(cache, f"new {number}"), kept("a text"))
    with psycopg.connect(owner_of(database)) as connection:
        found = connection.execute("SELECT tenant FROM stratal.cache ORDER BY tenant").fetchall()
    assert found == [("acme",), ("acme",), ("globex",)]


@pytest.mark.feature("CCH-01")
def test_cch_01_another_provider_and_another_cache_keep_their_own(
    cache: PostgresCache, pool: Pool
) -> None:
    settle(owed(cache, "one"), kept("a text"))
    elsewhere = ("dspy", "fake/model", "https://elsewhere.example")
    for other in (
        PostgresCache(pool, cache.flights, Cache.ANSWERS, elsewhere, HOUR_S),
        PostgresCache(pool, cache.flights, Cache.PREDICTIONS, PROVIDER, HOUR_S),
    ):
        settle(owed(other, "one"), None)


@pytest.mark.feature("CCH-09")
def test_cch_09_another_process_waits_for_who_makes_it(
    cache: PostgresCache, database: str, pool: Pool
) -> None:
    others = Flights(database)
    elsewhere = PostgresCache(pool, others, Cache.ANSWERS, PROVIDER, HOUR_S)
    debt, text = owed(cache, "one"), kept("a text")
    assert took(elsewhere, "one", within_s=0.05) is None
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(took, elsewhere, "one")
        settle(debt, text)
        assert waiting.result(30) == text
    others.close()


HOLDER = """
import sys, time
from infrastructure.postgres.flights import Flights
flight = Flights(sys.argv[1]).begin("one", within_s=10)
assert flight is not None
print("begun", flush=True)
time.sleep(600)
"""


@pytest.mark.feature("CCH-09")
def test_cch_09_what_a_killed_process_was_making_is_made_by_another(database: str) -> None:
    flights = Flights(database)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, database], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert flights.begin("one", within_s=0.05) is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        flight = flights.begin("one", within_s=30)
    assert flight is not None
    flight.land()
    flights.close()


def test_a_session_that_was_cut_is_made_anew(database: str) -> None:
    flights = Flights(database)
    first = flights.begin("one", within_s=1)
    assert first is not None
    with psycopg.connect(owner_of(database), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'stratal flights' AND datname = current_database()"
        )
    second = flights.begin("two", within_s=1)
    assert second is not None
    first.land()  # its lock went with its session; it must not give up that of another
    second.land()
    flights.close()


def test_without_its_database_everybody_asks_for_themselves(database: str) -> None:
    with open_pool(database, min_size=1, max_size=1, name="gone", walled=True) as pool:
        flights = Flights("postgresql://nobody@127.0.0.1:1/none")
        cache = PostgresCache(pool, flights, Cache.ANSWERS, PROVIDER, HOUR_S)
        assert took(cache, "one") is None
        reached = Flights(database)
        cache = PostgresCache(pool, reached, Cache.ANSWERS, PROVIDER, HOUR_S)
        debt = owed(cache, "one")
    settle(debt, kept("a text"))  # the pool is closed: nothing is kept, and nobody is told
    assert took(cache, "one") is None
    assert not reached._under_way
    reached.close()


def test_a_look_that_fails_lets_others_make_it(
    cache: PostgresCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([None, psycopg.OperationalError("cut off")])

    def look(*_: object) -> None:
        if (error := next(found)) is not None:
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(PostgresCache, "_find", look)
        assert took(cache, "one") is None
    settle(owed(cache, "one"), None)
