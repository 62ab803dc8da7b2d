"""Queues as people who run the service see them, and what their wishes change in the tables."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from domain.kernel import Recorded
from domain.queue.events import JobRetried, QueuePaused, QueueResumed
from infrastructure.sql import Statements
from infrastructure.workers.jobs import JobIsUnreadable, decoded

_QUEUES: LiteralString = """
SELECT named.queue,
  count(jobs.id) FILTER (WHERE jobs.owner IS NULL AND jobs.dead_at IS NULL) AS waiting,
  count(jobs.owner) AS running, count(jobs.dead_at) AS dead, paused.reason AS paused_because
FROM unnest(%s::text[]) AS named (queue)
LEFT JOIN stratal.jobs USING (queue) LEFT JOIN stratal.paused_queues AS paused USING (queue)
GROUP BY named.queue, paused.reason ORDER BY named.queue"""

_DEAD: LiteralString = """
SELECT message_id, queue, dead_at, error, message FROM stratal.jobs
WHERE dead_at IS NOT NULL AND (%(id)s::uuid IS NULL OR message_id = %(id)s)
ORDER BY dead_at DESC LIMIT 200"""

_PAUSE: LiteralString = """
INSERT INTO stratal.paused_queues (queue, reason) VALUES (%(queue)s, %(reason)s)
ON CONFLICT DO NOTHING"""

_RESUME: LiteralString = "DELETE FROM stratal.paused_queues WHERE queue = %(queue)s"

_RETRY: LiteralString = """
UPDATE stratal.jobs SET dead_at = NULL, tries = 0, crashes = 0, sends = 0, run_at = now()
WHERE message_id = %(job_id)s AND dead_at IS NOT NULL"""

_WAKE: LiteralString = "SELECT pg_notify('stratal_jobs', %(queue)s)"


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many jobs of a queue there are; ``paused_because`` is ``None`` while it goes on."""

    queue: str
    waiting: int
    running: int
    dead: int
    paused_because: str | None


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that was given up. Of one that cannot be read nobody knows whose it was."""

    job_id: UUID
    queue: str
    dead_at: datetime
    error: str | None
    command: str | None
    tenant: str | None


def queue_states(connection: Connection[TupleRow], queues: Collection[str]) -> Sequence[QueueState]:
    """Each of *queues*, by name."""
    with connection.cursor(row_factory=class_row(QueueState)) as cursor:
        return cursor.execute(_QUEUES, [list(queues)]).fetchall()


def dead_jobs(connection: Connection[TupleRow], id: UUID | None = None) -> Sequence[DeadJob]:
    """The last 200 jobs that were given up, newest first; or the one that is called *id*."""
    return [
        DeadJob(message_id, queue, dead_at, error, *_whose(message))
        for message_id, queue, dead_at, error, message in connection.execute(_DEAD, {"id": id})
    ]


def write_upkeep(into: Statements, recorded: Sequence[Recorded], payloads: object = ()) -> None:
    """Change the tables as *recorded* says, in the transaction of the append."""
    del payloads
    for each in recorded:
        match each.event:
            case QueuePaused(queue=queue, reason=reason):
                into.execute(_PAUSE, {"queue": queue, "reason": reason})
                into.execute(_WAKE, {"queue": queue})  # whoever takes requests in looks again
            case QueueResumed(queue=queue):
                into.execute(_RESUME, {"queue": queue})
                into.execute(_WAKE, {"queue": queue})
            case JobRetried(queue=queue, job_id=job_id):
                into.execute(_RETRY, {"job_id": job_id})
                into.execute(_WAKE, {"queue": queue})
            case _:
                pass


def _whose(message: bytes) -> tuple[str | None, str | None]:
    """The command of a job, and its tenant."""
    try:
        found = decoded(message)
        return found.actor_name, str(found.kwargs["context"]["tenant"])
    except (JobIsUnreadable, KeyError, TypeError):
        return None, None
