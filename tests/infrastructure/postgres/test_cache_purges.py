"""Purges: the rows go with the fact, nothing that was asked for before comes after it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest

from application.caching import Kept
from application.context import within
from domain.cache.aggregate import CachePurge
from domain.values import Cache
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.caches import PostgresCache, write_purges
from infrastructure.postgres.flights import Flights
from infrastructure.postgres.pool import Pool, open_pool
from tests.contracts.cache import kept, on_behalf_of, owed, settle, took
from tests.support.caches import PROVIDER
from tests.support.memory import NOW

OURS, THEIRS = UUID(int=1), UUID(int=2)
MODEL, OTHER = "openai/gpt", "openai/other"


@dataclass(frozen=True)
class World:
    answers: PostgresCache
    predictions: PostgresCache
    purges: EventSourcedRepository[CachePurge]

    def keep(self, name: str, *, program_id: UUID = OURS, tenant: str = "acme") -> None:
        """An answer of one model, and a prediction of two."""
        one = replace(kept(name), program_id=program_id, models=frozenset({MODEL}))
        two = replace(one, models=frozenset({MODEL, OTHER}))
        settle(owed(self.answers, name, tenant=tenant), one, tenant=tenant)
        settle(owed(self.predictions, name, tenant=tenant), two, tenant=tenant)

    def purge(
        self, cache: Cache | None = None, program_id: UUID | None = None, model: str | None = None
    ) -> None:
        with within(on_behalf_of("acme")):
            purge = CachePurge.purge(
                uuid4(), cache=cache, program_id=program_id, model=model, reason="Old.", at=NOW
            )
            self.purges.save(purge)

    def left(self, *names: str, tenant: str = "acme") -> set[str]:
        found = set[str]()
        for word, cache in (("answers", self.answers), ("predictions", self.predictions)):
            for name in names:
                taken = took(cache, name, tenant=tenant)
                if isinstance(taken, Kept):
                    found.add(f"{word} {name}")
                elif taken is not None:
                    settle(taken, None, tenant=tenant)
        return found


@pytest.fixture
def world(database: str) -> Iterator[World]:
    flights = Flights(database)
    with open_pool(database, min_size=1, max_size=8, name="purges", walled=True) as pool:
        log = EventLog(PostgresRecorder(pool), inline=[write_purges])
        yield World(
            _cache(pool, flights, Cache.ANSWERS),
            _cache(pool, flights, Cache.PREDICTIONS),
            EventSourcedRepository(log, CachePurge),
        )
    flights.close()


def _cache(pool: Pool, flights: Flights, cache: Cache) -> PostgresCache:
    return PostgresCache(pool, flights, cache, PROVIDER, 3600)


@pytest.mark.feature("CCH-08")
@pytest.mark.parametrize(
    ("words", "left"),
    [
        ({}, set[str]()),
        ({"cache": Cache.ANSWERS}, {"predictions ours", "predictions theirs"}),
        ({"cache": Cache.PREDICTIONS}, {"answers ours", "answers theirs"}),
        ({"program_id": OURS}, {"answers theirs", "predictions theirs"}),
        ({"model": OTHER}, {"answers ours", "answers theirs"}),
        (
            {"model": OTHER, "program_id": THEIRS},
            {"answers ours", "answers theirs", "predictions ours"},
        ),
        (
            {"cache": Cache.ANSWERS, "model": OTHER},
            {"answers ours", "answers theirs", "predictions ours", "predictions theirs"},
        ),
    ],
)
def test_cch_08_a_purge_takes_what_fits_each_word_and_nothing_of_another_tenant(
    world: World, words: dict[str, object], left: set[str]
) -> None:
    world.keep("ours")
    world.keep("theirs", program_id=THEIRS)
    world.keep("ours", tenant="globex")
    world.purge(**words)  # type: ignore[arg-type]  # the table has the words of each case
    assert world.left("ours", "theirs") == left
    assert world.left("ours", tenant="globex") == {"answers ours", "predictions ours"}


@pytest.mark.feature("CCH-08")
def test_cch_08_what_was_asked_for_before_a_purge_is_not_kept_after_it(world: World) -> None:
    debt = owed(world.answers, "one")
    elsewhere = owed(world.answers, "one", tenant="globex")
    world.purge()
    settle(debt, kept("late"))
    settle(elsewhere, kept("late"), tenant="globex")
    assert world.left("one") == set()
    assert world.left("one", tenant="globex") == {"answers one"}
    world.keep("one")
    assert world.left("one") == {"answers one", "predictions one"}


@pytest.mark.feature("CCH-08")
def test_cch_08_whatever_comes_at_the_moment_of_a_purge_nothing_older_is_left(
    world: World,
) -> None:
    names = [f"answer {number}" for number in range(40)]
    debts = [owed(world.answers, name) for name in names]
    with ThreadPoolExecutor(8) as threads:
        settling = [threads.submit(settle, debt, kept("old")) for debt in debts[:20]]
        purging = threads.submit(world.purge)
        settling += [threads.submit(settle, debt, kept("old")) for debt in debts[20:]]
        for each in (*settling, purging):
            each.result(30)
    assert world.left(*names) == set()
