"""The limits of the model's provider, as the settings have them; without any nobody is asked."""

from collections.abc import Generator
from contextlib import contextmanager

from application.turns import NoLimits, Turns
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.postgres.rates import Limits
from infrastructure.postgres.turns import PostgresTurns, ProviderLimits
from infrastructure.settings import Settings


@contextmanager
def provider_turns(settings: Settings, conninfo: str, pool: Pool) -> Generator[Turns, None, None]:
    """Turns at the provider that the settings name, kept in the database at *conninfo*."""
    if (limits := _limits(settings)).are_none:
        yield NoLimits()
        return
    turns = PostgresTurns(conninfo, pool, _provider(settings.lm), limits)
    try:
        yield turns
    finally:
        turns.close()


@contextmanager
def own_turns(settings: Settings) -> Generator[Turns, None, None]:
    """The same for a process that has no other use for a database."""
    if _limits(settings).are_none:
        yield NoLimits()
        return
    conninfo = settings.database_url or EmbeddedPostgres(settings.home).service_url
    with (
        open_pool(conninfo, min_size=1, max_size=2, name="stratal-engine") as pool,
        provider_turns(settings, conninfo, pool) as turns,
    ):
        yield turns


def _limits(settings: Settings) -> ProviderLimits:
    return ProviderLimits(
        at_once=settings.lm_concurrency,
        whole=Limits(settings.lm_rpm, settings.lm_tpm),
        tenant=Limits(settings.lm_tenant_rpm, settings.lm_tenant_tpm),
    )


def _provider(lm: str) -> str:
    """Who answers: the first word of the setting."""
    return lm.partition(":")[0].partition("/")[0]
