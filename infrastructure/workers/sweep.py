"""Queues again what the log says is due and no job stands for, so a lost job loses no work."""

import logging
from collections.abc import Callable, Iterable
from typing import LiteralString
from uuid import uuid4

from psycopg import Connection

from application.commands import Command
from infrastructure.workers.jobs import Job, JobContext, Lanes, insertion

logger = logging.getLogger(__name__)

EVERY_S = 15.0

DEAD_MAX = 3
"""Work whose job was given up this often is left to people."""

Due = Callable[[], Iterable[tuple[Command, JobContext]]]
"""The commands of all work that was accepted some time ago and has not ended."""

_INSERT_MISSING: LiteralString = """
WITH due AS (
  SELECT * FROM unnest(
    %(ids)s::uuid[], %(keys)s::uuid[], %(queues)s::text[], %(messages)s::bytea[]
  ) AS due (message_id, key, queue, message)
), known AS (
  SELECT key, bool_or(dead_at IS NULL) AS queued, count(dead_at) AS given_up
  FROM stratal.jobs WHERE key = ANY(%(keys)s::uuid[]) GROUP BY key
), queued AS (
  INSERT INTO stratal.jobs (message_id, key, queue, message)
  SELECT message_id, key, due.queue, message FROM due LEFT JOIN known USING (key)
  WHERE NOT coalesce(known.queued, false) AND coalesce(given_up, 0) < %(dead_max)s
  RETURNING queue
) SELECT pg_notify('stratal_jobs', queue), number
  FROM (SELECT queue, count(*) AS number FROM queued GROUP BY queue) q"""


class Sweep:
    """Compares the log with the table; run it where ``Leading`` allows one at a time."""

    def __init__(self, due: Due, lanes: Lanes) -> None:
        self._due = due
        self._lanes = lanes

    def __call__(self, connection: Connection) -> None:
        """Queue each command that is due, unless a job for the same command is in the table."""
        jobs = [Job(uuid4(), command, context) for command, context in self._due()]
        if not jobs:
            return
        rows = connection.execute(
            _INSERT_MISSING, {**insertion(jobs, self._lanes), "dead_max": DEAD_MAX}
        ).fetchall()
        if again := sum(number for _, number in rows):
            logger.warning("Queued %d commands again whose jobs were lost.", again)
