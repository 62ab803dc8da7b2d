"""What ``stratal queue`` does, on the database of this machine's settings."""

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final
from uuid import UUID, uuid5

from domain.kernel import Envelope, Recorded
from domain.queue.events import JobRetried, QueueEvent, QueuePaused, QueueResumed
from infrastructure import bootstrap
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.main.process import reaching_the_database
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.settings import Settings
from infrastructure.system import SystemClock
from infrastructure.workers.lanes import LANES
from infrastructure.workers.upkeep import dead_jobs, queue_states, write_upkeep

_IDS: Final = UUID("5f2c5b0a-7f0e-4a63-9a0d-8b1f2f6f4c7e")

TENANT: Final = "default"
"""Whose trail tells of queues, which serve all tenants."""


class QueueIsUnknown(Exception):
    """No worker of this release serves a queue of that name."""

    code: ClassVar[str] = "queue.unknown"

    def __init__(self, queue: str, known: Collection[str]) -> None:
        super().__init__(f"There is no queue {queue!r}. Choose one of {', '.join(sorted(known))}.")


class JobIsNotDead(Exception):
    """There is no job of that id that was given up and can be read."""

    code: ClassVar[str] = "job.not_dead"

    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            f"No job {job_id} was given up, or it cannot be read. See: stratal queue dead."
        )


@dataclass(frozen=True, slots=True)
class QueueOffice:
    """Looks after *queues* in the database that *pool* reaches, for *actor*."""

    pool: Pool
    actor: str = "anonymous"
    queues: Collection[str] = frozenset(lane.queue for lane in LANES.values())

    def states(self) -> Sequence[dict[str, Any]]:
        with self.pool.connection() as connection:
            return [asdict(each) for each in queue_states(connection, self.queues)]

    def dead(self) -> Sequence[dict[str, Any]]:
        with self.pool.connection() as connection:
            found = [asdict(each) for each in dead_jobs(connection)]
        return [each | {"job_id": str(each["job_id"])} for each in found]

    def pause(self, queue: str, reason: str) -> None:
        if not self._is_paused(queue):
            self._append(queue, QueuePaused(queue=queue, reason=reason), TENANT, "PauseQueue")

    def resume(self, queue: str) -> None:
        if self._is_paused(queue):
            self._append(queue, QueueResumed(queue=queue), TENANT, "ResumeQueue")

    def retry(self, job_id: UUID) -> str:
        with self.pool.connection() as connection:
            job = next(iter(dead_jobs(connection, job_id)), None)
        if job is None or job.tenant is None or job.command is None:
            raise JobIsNotDead(job_id)
        event = JobRetried(queue=job.queue, job_id=job_id, command=job.command)
        self._append(str(job_id), event, job.tenant, "RetryJob")
        return event.command

    def _is_paused(self, queue: str) -> bool:
        for each in self.states():
            if each["queue"] == queue:
                return each["paused_because"] is not None
        raise QueueIsUnknown(queue, self.queues)

    def _append(self, name: str, event: QueueEvent, tenant: str, command: str) -> None:
        """Append *event* to the stream of *name*; who does the same at once appends it once."""
        log = EventLog(PostgresRecorder(self.pool), inline=[write_upkeep])
        stream = uuid5(_IDS, name)
        version = len(log.history(stream)) + 1
        event_id = uuid5(stream, str(version))
        envelope = Envelope(
            event_id=event_id,
            tenant=tenant,
            actor=self.actor,
            command=command,
            command_id=str(event_id),
            correlation_id=event_id,
        )
        log.append([Recorded(stream, version, event, SystemClock().now(), envelope)])


@contextmanager
def queue_office(settings: Settings, actor: str) -> Generator[QueueOffice, None, None]:
    """The office of this home's database, for *actor*.

    An embedded one that was not running stops after it.
    """
    with reaching_the_database(), bootstrap.database(settings) as access:
        bootstrap.prepare(access)
        with open_pool(access.service, min_size=1, max_size=1, name="queues") as pool:
            yield QueueOffice(pool, actor)
