"""Caches in Postgres: which text is kept under a key, and until when by the database's clock.

The texts are those of the log, in the payload store: a row names one by its digest, and the run it
came from. So what is erased there is no longer served from here.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, LiteralString

import psycopg
from psycopg_pool import PoolClosed

from application.caching import Debt, Kept, Provider, cache_key
from application.context import current
from application.payloads import Payload
from domain.cache.events import CachePurged
from domain.kernel import Recorded
from domain.values import Cache, Digest, PayloadRef, RunRef
from infrastructure.postgres.flights import Flight, Flights
from infrastructure.postgres.pool import Pool
from infrastructure.sql import Statements

_TABLE: LiteralString = """
-- What was answered a while ago. Nothing is lost with it but a little money, so it is not in the
-- write-ahead log.
CREATE UNLOGGED TABLE stratal.cache (
    tenant     text NOT NULL,
    cache      text NOT NULL,
    key        bytea NOT NULL CHECK (length(key) = 32),
    digest     bytea NOT NULL,
    size_bytes bigint NOT NULL,
    run_kind   text NOT NULL,
    run_id     uuid NOT NULL,
    kept_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, cache, key)
);
CREATE INDEX cache_expiry ON stratal.cache (tenant, expires_at);
"""

_WALL: LiteralString = "SELECT stratal.wall('stratal', false, 'cache')"

# What is there already says neither, so it would outlive a purge that names one: it goes.
_ORIGINS: LiteralString = """
TRUNCATE stratal.cache;
ALTER TABLE stratal.cache ADD program_id uuid, ADD models text[] NOT NULL;
-- When each tenant last purged: what was asked for before and comes later is not kept, either.
CREATE UNLOGGED TABLE stratal.cache_purges (
    tenant    text PRIMARY KEY,
    purged_at timestamptz NOT NULL
);
SELECT stratal.wall('stratal', false, 'cache_purges');
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("cache.1", _TABLE),
    ("cache.2", _WALL),
    ("cache.3", _ORIGINS),
)

PATIENCE: Final = 0.5
"""The part of its time that a call may wait for an equal one: it may have to be made after all."""

# As in the payload store: the limit keeps the subquery behind the setting that lets it see its row.
_FIND: LiteralString = """
SELECT c.* FROM set_config('stratal.tenant', %(tenant)s, true) AS asking (tenant)
CROSS JOIN LATERAL (
    SELECT digest, size_bytes, run_kind, run_id FROM stratal.cache AS c
    WHERE c.tenant = asking.tenant AND cache = %(cache)s AND key = %(key)s
      AND expires_at > clock_timestamp()
    LIMIT 1
) AS c
"""
_ENTER: LiteralString = "SELECT set_config('stratal.tenant', %(tenant)s, true)"
# A purge and whoever keeps something come one after the other, so none misses the other.
_SHARE: LiteralString = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%(lock)s, 0))"
_KEEP: LiteralString = """
INSERT INTO stratal.cache
    (tenant, cache, key, digest, size_bytes, run_kind, run_id, program_id, models, kept_at,
     expires_at)
SELECT %(tenant)s, %(cache)s, %(key)s, %(digest)s, %(size)s, %(run_kind)s, %(run_id)s,
       %(program_id)s, %(models)s, now(), now() + make_interval(secs => %(ttl_s)s)
WHERE NOT EXISTS (
    SELECT FROM stratal.cache_purges
    WHERE tenant = %(tenant)s
      AND purged_at >= clock_timestamp() - make_interval(secs => %(taken_s)s)
)
ON CONFLICT (tenant, cache, key) DO UPDATE
SET digest = excluded.digest, size_bytes = excluded.size_bytes, run_kind = excluded.run_kind,
    run_id = excluded.run_id, program_id = excluded.program_id, models = excluded.models,
    kept_at = excluded.kept_at, expires_at = excluded.expires_at
"""
# Each row that is added takes some away that have expired: so they never pile up.
_SWEEP: LiteralString = """
DELETE FROM stratal.cache WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM stratal.cache
    WHERE tenant = %(tenant)s AND expires_at <= clock_timestamp()
    LIMIT 10 FOR UPDATE SKIP LOCKED
))
"""
_ALONE: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))"
_NOTE: LiteralString = """
INSERT INTO stratal.cache_purges VALUES (%(tenant)s, clock_timestamp())
ON CONFLICT (tenant) DO UPDATE SET purged_at = excluded.purged_at
"""
_PURGE: LiteralString = """
DELETE FROM stratal.cache
WHERE tenant = %(tenant)s
  AND (%(cache)s::text IS NULL OR cache = %(cache)s)
  AND (%(program_id)s::uuid IS NULL OR program_id = %(program_id)s)
  AND (%(model)s::text IS NULL OR %(model)s = ANY (models))
"""


def write_purges(
    into: Statements, recorded: Sequence[Recorded], payloads: Sequence[Payload]
) -> None:
    """Take the rows away that the purges in *recorded* are about, in the append that tells it."""
    del payloads
    for each in recorded:
        if isinstance(each.event, CachePurged):
            tenant = each.envelope.tenant
            told = each.event.model_dump(mode="json") | {"tenant": tenant, "lock": _lock(tenant)}
            for statement in (_ENTER, _ALONE, _NOTE, _PURGE):
                into.execute(statement, told)


def _lock(tenant: str) -> str:
    return f"stratal cache of {tenant}"


@dataclass(frozen=True, slots=True)
class PostgresCache:
    """What *cache* keeps of the answers of *provider*, for ``ttl_s`` seconds each."""

    pool: Pool
    flights: Flights
    cache: Cache
    provider: Provider
    ttl_s: float

    def take(self, key: Digest, *, within_s: float) -> Kept | Debt | None:
        """What is kept under *key*, or else the duty to make it, which only one has at a time."""
        with suppress(psycopg.Error, PoolClosed):  # without it everybody asks for themselves
            name = cache_key(self.provider, key)
            return self._find(name) or self._after_others(name, within_s * PATIENCE)
        return None

    def keep(self, name: Digest, kept: Kept, *, taken_s: float) -> None:
        """Have *kept* under *name*, in place of whatever is there.

        It was missed *taken_s* seconds ago: if there was a purge since, it is not kept.
        """
        told = self._place(name) | {
            "lock": _lock(current().tenant),
            "program_id": kept.program_id,
            "models": sorted(kept.models),
            "taken_s": taken_s,
            "digest": bytes.fromhex(kept.content.digest),
            "size": kept.content.size_bytes,
            "run_kind": kept.filled_by.kind,
            "run_id": kept.filled_by.id,
            "ttl_s": self.ttl_s,
        }
        with self.pool.connection() as connection, connection.transaction():
            for statement in (_ENTER, _SHARE, _KEEP, _SWEEP):
                connection.execute(statement, told)

    def _after_others(self, name: Digest, within_s: float) -> Kept | Debt | None:
        flight = self.flights.begin(f"{self.cache}:{name}", within_s=within_s)
        missed_s = monotonic()
        try:
            found = self._find(name)
        except BaseException:
            if flight is not None:
                flight.land()
            raise
        if flight is None:
            return found
        if found is not None:
            flight.land()
            return found
        return _Owed(self, name, flight, missed_s)

    def _find(self, name: Digest) -> Kept | None:
        with self.pool.connection() as connection:
            row = connection.execute(_FIND, self._place(name), prepare=True).fetchone()
        if row is None:
            return None
        digest, size_bytes, run_kind, run_id = row
        ref = PayloadRef(digest=digest.hex(), size_bytes=size_bytes)
        return Kept(ref, RunRef(kind=run_kind, id=run_id))

    def _place(self, name: Digest) -> dict[str, Any]:
        return {
            "tenant": current().tenant,
            "cache": self.cache.value,
            "key": bytes.fromhex(name),
        }


@dataclass(frozen=True, slots=True)
class _Owed:
    """What nobody else makes until it is settled."""

    cache: PostgresCache
    name: Digest
    flight: Flight
    missed_s: float

    def settle(self, kept: Kept | None) -> None:
        """Keep it, or nothing if it came to nothing; whoever waits goes on."""
        try:
            # The run has its answer: that is worth more than a row.
            with suppress(psycopg.Error, PoolClosed):
                if kept is not None:
                    self.cache.keep(self.name, kept, taken_s=monotonic() - self.missed_s)
        finally:
            self.flight.land()
