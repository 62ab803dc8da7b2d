"""Keeps commands that left no event in a table beside the log: soon, bounded, in nobody's way."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Final, LiteralString, NamedTuple, Self

import psycopg

from application.auditing import Attempt
from infrastructure.postgres.locks import lock_key
from infrastructure.postgres.pool import Pool

_TABLE: LiteralString = """
-- Commands that left no event. `left_out` are those of the tenant that came at about the same time
-- and were not kept, because too many came at once.
CREATE TABLE stratal.attempts (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant         text NOT NULL,
    actor          text NOT NULL,
    operation      text NOT NULL,
    command        text,
    aggregate_id   uuid,
    outcome        text NOT NULL CHECK (outcome IN ('refused', 'unchanged')),
    code           text,
    reason         text NOT NULL,
    status         smallint,
    address_mode   text NOT NULL,
    address        text,
    correlation_id uuid NOT NULL,
    left_out       bigint NOT NULL
);
CREATE INDEX attempts_tenant ON stratal.attempts (tenant, id);
"""

_WALL: LiteralString = "SELECT stratal.wall('stratal', false, 'attempts')"

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("attempts.1", _TABLE),
    ("attempts.2", _WALL),
)

# So ids appear in their order: who pages on from the newest misses none.
_ALONE: LiteralString = "SELECT pg_advisory_xact_lock(%s)"
_ADD: LiteralString = """
    INSERT INTO stratal.attempts (tenant, actor, operation, command, aggregate_id, outcome, code,
                                  reason, status, address_mode, address, correlation_id, left_out)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::text[],
                         %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::uuid[],
                         %s::bigint[])
"""
_FORGET_OF_TENANTS: LiteralString = """
    DELETE FROM stratal.attempts AS a
    USING (SELECT tenant, (SELECT id FROM stratal.attempts AS k WHERE k.tenant = t.tenant
                           ORDER BY id DESC OFFSET %s LIMIT 1) AS last
           FROM unnest(%s::text[]) AS t (tenant)) AS old
    WHERE a.tenant = old.tenant AND a.id <= old.last
"""
_FORGET: LiteralString = """
    DELETE FROM stratal.attempts WHERE id <= (SELECT max(id) FROM stratal.attempts) - %s
"""

PAUSE_S: Final = 0.25
"""Between two batches, so that a flood takes little of the database."""
AGAIN_S: Final = 1.0
"""After a batch could not be written."""
FAREWELL_S: Final = 2.0
"""How long the last ones may take once the process is told to stop."""

logger = logging.getLogger("stratal.audit")


class Bounds(NamedTuple):
    """How many may wait to be written, and how many rows are kept; the oldest go first."""

    waiting: int = 1_000
    waiting_of_a_tenant: int = 500
    kept: int = 100_000
    kept_of_a_tenant: int = 10_000


class AttemptLog:
    """``application.auditing.Attempts`` over ``stratal.attempts``, written by a thread of its own.

    Nobody waits for it. While the database does not answer as many as may wait do so; those beyond
    are counted only. What waits when the process is killed is lost.
    """

    def __init__(self, pool: Pool, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - it is frozen
        self._pool, self._bounds = pool, bounds
        self._changed, self._stop = Condition(), Event()
        self._waiting: list[Attempt] = []
        self._of: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._thread = Thread(target=self._run, name="attempts", daemon=True)

    def note(self, attempt: Attempt) -> None:
        """Have *attempt* written soon, or counted if too many wait."""
        bounds, tenant = self._bounds, attempt.tenant
        with self._changed:
            has_room = len(self._waiting) < bounds.waiting
            if has_room and self._of[tenant] < bounds.waiting_of_a_tenant:
                self._waiting.append(attempt)
                self._of[tenant] += 1
                self._changed.notify()
            elif tenant in self._left_out or len(self._left_out) < bounds.waiting:
                self._left_out[tenant] += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what waits, unless that takes too long."""
        with self._changed:
            self._stop.set()
            self._changed.notify()
        self._thread.join(FAREWELL_S)

    def _run(self) -> None:
        while batch := self._taken():
            self._insist(batch)
            self._stop.wait(PAUSE_S)

    def _taken(self) -> Sequence[tuple[Attempt, int]]:
        """All that waits, once something does; a tenant's last with how many were left out."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stop.is_set())
            latest_first = reversed(self._waiting)
            batch = [(each, self._left_out.pop(each.tenant, 0)) for each in latest_first][::-1]
            self._waiting, self._of = [], Counter()
        if left_out := sum(count for _, count in batch):
            logger.warning("%d attempts were counted only: too many came at once.", left_out)
        return batch

    def _insist(self, batch: Sequence[tuple[Attempt, int]]) -> None:
        """Write *batch*, however long the database is away; when told to stop, try once more."""
        has_failed = False
        while True:
            was_last = self._stop.is_set()
            try:
                self._write(batch)
            except psycopg.Error as error:
                if was_last:
                    logger.error("%d attempts are lost: %s", len(batch), error)  # noqa: TRY400 - the sentence is all
                    return
                if not has_failed:
                    logger.warning("Attempts cannot be kept for now: %s", error)
                has_failed = True
                self._stop.wait(AGAIN_S)
            else:
                return

    def _write(self, batch: Sequence[tuple[Attempt, int]]) -> None:
        columns = zip(*((*astuple(each), count) for each, count in batch), strict=True)
        tenants = sorted({each.tenant for each, _ in batch})
        with (
            self._pool.connection() as connection,
            connection.transaction(),
            connection.pipeline(),
        ):
            connection.execute(_ALONE, (lock_key("attempts"),))
            connection.execute(_ADD, [list(column) for column in columns])
            connection.execute(_FORGET_OF_TENANTS, (self._bounds.kept_of_a_tenant, tenants))
            connection.execute(_FORGET, (self._bounds.kept,))
