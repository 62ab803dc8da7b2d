"""What people who run the service do to its queues: a stream for each queue, and for each job."""

from typing import ClassVar
from uuid import UUID

from domain.kernel import Event


class QueuePaused(Event):
    """No worker takes more of its jobs; what was begun goes on."""

    TOPIC: ClassVar[str] = "queue.paused"

    queue: str
    reason: str


class QueueResumed(Event):
    """Workers take its jobs again."""

    TOPIC: ClassVar[str] = "queue.resumed"

    queue: str


class JobRetried(Event):
    """A job that was given up waits again, as if it had never been tried."""

    TOPIC: ClassVar[str] = "job.retried"

    queue: str
    job_id: UUID
    command: str


QueueEvent = QueuePaused | QueueResumed | JobRetried
