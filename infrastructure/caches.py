"""The caches as the settings have them."""

from collections.abc import Generator
from contextlib import contextmanager

from application.caching import Caches
from domain.values import Cache
from infrastructure.postgres.caches import PostgresCache
from infrastructure.postgres.flights import Flights
from infrastructure.postgres.pool import Pool
from infrastructure.settings import Settings


@contextmanager
def open_caches(settings: Settings, conninfo: str, pool: Pool) -> Generator[Caches, None, None]:
    """The caches of what the model of *settings* answers, in the database at *conninfo*."""
    flights = Flights(conninfo)
    # Another model, or the same name at another address, may give other answers.
    provider = settings.engine, settings.lm, settings.lm_api_base or ""
    try:
        yield Caches(
            PostgresCache(pool, flights, Cache.ANSWERS, provider, settings.cache_ttl_s),
            PostgresCache(pool, flights, Cache.PREDICTIONS, provider, settings.prediction_ttl_s),
        )
    finally:
        flights.close()
