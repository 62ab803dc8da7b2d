"""The table of jobs: what waits, who has it, what is given up; the truth under every broker.

A claim is a row update with a fresh token, so an answer that comes too late changes nothing. Who
holds a claim is alive as long as it holds its advisory lock (see ``pulse``). Claims and answers
are committed asynchronously: a crash of the database can only bring a job back, and a row that
says it is ours while we do not know it is freed (``free_strays``).
"""

import logging
import secrets
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import Connection

from infrastructure.workers.connections import Connections
from infrastructure.workers.held import Held

logger = logging.getLogger(__name__)

CHANNEL = "stratal_jobs"
ADVISORY_SPACE = 0x57524B
"""First key of the advisory locks that say which worker lives."""

CRASHES_MAX = 10
"""A job that was lost with its worker this often is given up: it is probably what kills them."""

INSERT: LiteralString = """
WITH queued AS (
  INSERT INTO stratal.jobs (message_id, key, queue, message, owner, claim)
  SELECT * FROM unnest(
    %(ids)s::uuid[], %(keys)s::uuid[], %(queues)s::text[], %(messages)s::bytea[],
    %(owners)s::int[], %(claims)s::bigint[]
  )
  ON CONFLICT (message_id) DO NOTHING RETURNING queue, owner
) SELECT pg_notify('stratal_jobs', queue)
  FROM (SELECT DISTINCT queue FROM queued WHERE owner IS NULL) q"""
"""What has an owner from the start is nobody else's to hear of."""

_CLAIM: LiteralString = """
WITH ready AS MATERIALIZED (
  SELECT message_id FROM stratal.jobs
  WHERE queue = %(queue)s AND owner IS NULL AND dead_at IS NULL AND run_at <= now()
    AND NOT EXISTS (SELECT FROM stratal.paused_queues WHERE queue = %(queue)s)
  ORDER BY run_at, id LIMIT %(room)s FOR UPDATE SKIP LOCKED
)
UPDATE stratal.jobs SET owner = %(owner)s, claim = %(claim)s
FROM ready WHERE jobs.message_id = ready.message_id
RETURNING jobs.id, jobs.message_id, jobs.tries, jobs.message"""
"""Materialized: a join may run a plain subquery once for each row, and skip what it locked before.

The limit then holds for each run, and a worker gets more than it has room for.
"""

_TAKE: LiteralString = """
UPDATE stratal.jobs SET owner = %(owner)s, claim = %(claim)s
WHERE message_id = %(id)s AND owner IS NULL AND dead_at IS NULL
  AND NOT EXISTS (SELECT FROM stratal.paused_queues AS paused WHERE paused.queue = jobs.queue)
RETURNING id, message_id, tries, message"""

_NEXT_DUE: LiteralString = """
SELECT extract(epoch FROM min(run_at) - clock_timestamp())::float8 FROM stratal.jobs
WHERE queue = %(queue)s AND owner IS NULL AND dead_at IS NULL
  AND NOT EXISTS (SELECT FROM stratal.paused_queues WHERE queue = %(queue)s)"""

_IS_PAUSED: LiteralString = "SELECT FROM stratal.paused_queues WHERE queue = %(queue)s"

_DONE: LiteralString = "DELETE FROM stratal.jobs WHERE message_id = %(id)s AND claim = %(claim)s"

_AGAIN: LiteralString = """
WITH released AS (
  UPDATE stratal.jobs SET owner = NULL, claim = NULL, sends = 0, error = %(error)s,
    tries = tries + %(tries)s, run_at = now() + %(delay_ms)s * interval '1 ms'
  WHERE message_id = %(id)s AND claim = %(claim)s RETURNING queue
) SELECT pg_notify('stratal_jobs', queue) FROM released"""

_DEAD: LiteralString = """
UPDATE stratal.jobs SET owner = NULL, claim = NULL, dead_at = now(), error = %(error)s
WHERE message_id = %(id)s AND claim IS NOT DISTINCT FROM %(claim)s"""

_LIFELESS: LiteralString = """
SELECT owner FROM (
  SELECT DISTINCT owner FROM stratal.jobs WHERE owner IS NOT NULL AND owner <> %(owner)s
) o WHERE pg_try_advisory_xact_lock_shared(%(space)s, owner)"""

_REAP: LiteralString = """
WITH reaped AS (
  UPDATE stratal.jobs SET owner = NULL, claim = NULL, sends = 0, crashes = crashes + 1,
    run_at = least(run_at, now()),
    dead_at = CASE WHEN crashes + 1 >= %(most)s THEN now() END,
    error = 'Its worker died while carrying it out.'
  WHERE owner = ANY(%(owners)s) RETURNING queue
) SELECT pg_notify('stratal_jobs', queue), number
  FROM (SELECT queue, count(*) AS number FROM reaped GROUP BY queue) q"""

_FREE_STRAYS: LiteralString = """
WITH freed AS (
  UPDATE stratal.jobs SET owner = NULL, claim = NULL, sends = 0, run_at = least(run_at, now())
  WHERE owner = %(owner)s AND claim <= %(newest)s AND claim <> ALL(%(asking)s::bigint[])
    AND (claim, message_id) NOT IN (
      SELECT * FROM unnest(%(tokens)s::bigint[], %(message_ids)s::uuid[])
    )
  RETURNING queue
) SELECT pg_notify('stratal_jobs', queue), number
  FROM (SELECT queue, count(*) AS number FROM freed GROUP BY queue) q"""

ERROR_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process has. ``tries`` counts the earlier tries that failed."""

    message_id: UUID
    token: int
    tries: int
    message: bytes


class JobTable:
    """What a worker process does with the table, under one identity."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        self.owner = secrets.randbits(31)
        self._held = Held()
        self._connections = Connections(conninfo, options="-c synchronous_commit=off")
        self._unsettled: deque[tuple[LiteralString, dict[str, Any]]] = deque()

    def claim(self, queue: str, room: int) -> Sequence[Claim]:
        """Take up to *room* jobs that are due, oldest first.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        return self._claim(_CLAIM, {"queue": queue, "room": room})

    def take(self, message_id: str) -> Claim | None:
        """Take the job that a broker delivered; ``None`` when it is done or somebody has it.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        return next(iter(self._claim(_TAKE, {"id": message_id})), None)

    def asking(self) -> AbstractContextManager[int]:
        """A new token, for a job that the body queues as this process' own."""
        return self._held.asking()

    def keep(self, claim: Claim) -> None:
        """The job is ours; say so while still ``asking``."""
        self._held.keep(claim.token, [claim.message_id])

    def is_paused(self, queue: str) -> bool:
        """Whether no jobs of *queue* are to be begun.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        with self._connections.borrowed() as connection:
            row = connection.execute(_IS_PAUSED, {"queue": queue}).fetchone()
        return row is not None

    def due_in_s(self, queue: str) -> float | None:
        """Seconds until the next job of *queue* is due; ``None`` without one."""
        with self._connections.borrowed() as connection:
            row = connection.execute(_NEXT_DUE, {"queue": queue}).fetchone()
        return None if row is None else row[0]

    def done(self, claim: Claim) -> None:
        """Forget the job: it was carried out."""
        self._settle(_DONE, {"id": claim.message_id, "claim": claim.token})

    def again(self, claim: Claim, *, delay_ms: int, error: str | None = None) -> None:
        """Give the job back, to be tried in *delay_ms*; with an *error* that counts as a try."""
        self._settle(
            _AGAIN,
            {
                "id": claim.message_id,
                "claim": claim.token,
                "delay_ms": delay_ms,
                "tries": 0 if error is None else 1,
                "error": _storable(error),
            },
        )

    def dead(self, claim: Claim, error: str) -> None:
        """Give the job up; it stays in the table with its *error*."""
        self._settle(
            _DEAD, {"id": claim.message_id, "claim": claim.token, "error": _storable(error)}
        )

    def bury(self, message_id: UUID | str, error: str) -> None:
        """Give up a job that nobody has."""
        self._settle(_DEAD, {"id": message_id, "claim": None, "error": _storable(error)})

    def settle_late(self) -> None:
        """Say again what the database did not hear while it was away.

        Raises:
            psycopg.OperationalError: It still is.
        """
        while self._unsettled:
            self._say(*self._unsettled[0])
            self._unsettled.popleft()

    def lifeless(self, connection: Connection) -> set[int]:
        """The identities that hold jobs and do not live, on a *connection* of the caller."""
        rows = connection.execute(
            _LIFELESS, {"owner": self.owner, "space": ADVISORY_SPACE}
        ).fetchall()
        return {owner for (owner,) in rows}

    def reap(self, connection: Connection, owners: Collection[int]) -> int:
        """Free the jobs of dead *owners*; return how many."""
        rows = connection.execute(_REAP, {"owners": list(owners), "most": CRASHES_MAX}).fetchall()
        return sum(number for _, number in rows)

    def free_strays(self, connection: Connection) -> int:
        """Free the jobs that are ours by the table alone; return how many.

        The answer to a claim was lost, or a crash of the database forgot an outcome.
        """
        rows = connection.execute(
            _FREE_STRAYS, {"owner": self.owner, **asdict(self._held.now())}
        ).fetchall()
        return sum(number for _, number in rows)

    def close(self) -> None:
        """Give the connections back. What could not be settled comes back by itself."""
        self._connections.close()

    def _claim(self, statement: LiteralString, parameters: dict[str, Any]) -> Sequence[Claim]:
        with self._held.asking() as token, self._connections.borrowed() as connection:
            rows = connection.execute(
                statement, {"owner": self.owner, "claim": token, **parameters}
            ).fetchall()
            self._held.keep(token, [message_id for _, message_id, _, _ in rows])
        return [
            Claim(message_id, token, tries, message)
            for _, message_id, tries, message in sorted(rows)
        ]

    def _settle(self, statement: LiteralString, parameters: dict[str, Any]) -> None:
        try:
            self._say(statement, parameters)
        except psycopg.OperationalError as error:
            logger.warning("A job could not be settled now and will be later: %s", error)
            self._unsettled.append((statement, parameters))

    def _say(self, statement: LiteralString, parameters: dict[str, Any]) -> None:
        with self._connections.borrowed() as connection:
            connection.execute(statement, parameters)
        self._held.drop(parameters["claim"], parameters["id"])


def _storable(error: str | None) -> str | None:
    return error and error.replace("\0", "")[:ERROR_CHARS]
