"""A job: a command on its way to a worker, queued in the transaction that caused it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from dramatiq import Message
from dramatiq.encoder import JSONEncoder
from dramatiq.errors import DecodeError
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from application.authorization import AS_WORKER
from application.commands import Command
from application.context import Context
from application.reacting import reaction_id
from domain.kernel import Recorded
from infrastructure.sql import Statements
from infrastructure.workers.born import Birth, Births
from infrastructure.workers.table import INSERT

_JSON = JSONEncoder()


@dataclass(frozen=True, slots=True)
class Lane:
    """How a kind of work is carried out.

    ``max_retries`` counts the tries after the first one that failed for a reason outside the
    command. ``isolated`` work runs in a fresh child process.
    """

    queue: str
    time_limit_ms: int
    max_retries: int = 3
    isolated: bool = False


Lanes = Mapping[type[Command], Lane]


class JobIsUnreadable(Exception):
    """What was queued is no job of this version; trying again cannot help."""


class JobContext(BaseModel):
    """On whose behalf a job runs, in the form it travels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    actor: str
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A command, by whom and because of what, as a worker gets it."""

    id: UUID
    command: Command
    context: JobContext

    @property
    def key(self) -> UUID:
        """Equal for equal commands: whether work is queued already is asked by it."""
        return UUID(hex=self.command.fingerprint[:32])

    def encoded(self, queue: str) -> bytes:
        """The job as a Dramatiq message in JSON: ids and context only."""
        message: Message[None] = Message(
            queue_name=queue,
            actor_name=type(self.command).__name__,
            args=(),
            kwargs={"id": str(self.id), **self.body()},
            options={},
            message_id=str(self.id),
        )
        return _JSON.encode(message.asdict())

    def body(self) -> dict[str, JsonValue]:
        """What an actor or a child process is handed."""
        return {
            "body": self.command.model_dump(mode="json"),
            "context": self.context.model_dump(mode="json"),
        }

    @classmethod
    def read(cls, command: type[Command], *, id: str, body: object, context: object) -> "Job":
        """The job that was handed over.

        Raises:
            JobIsUnreadable: It does not fit *command* as it is today.
        """
        try:
            return cls(UUID(id), command.model_validate(body), JobContext.model_validate(context))
        except (ValidationError, ValueError) as fault:
            raise JobIsUnreadable(f"{command.__name__} {id} cannot be read: {fault}") from fault

    def envelope(self, traceparent: str | None) -> Context:
        """The context the command is dispatched in; the events it leads to name this job."""
        return Context(
            tenant=self.context.tenant,
            actor=self.context.actor,
            correlation_id=self.context.correlation_id,
            command_id=str(self.id),
            causation_id=self.context.causation_id,
            traceparent=traceparent or self.context.traceparent,
            roles=AS_WORKER,
        )


def decoded(body: bytes) -> "Message[None]":
    """The Dramatiq message in a row of the table.

    Raises:
        JobIsUnreadable: It is none.
    """
    try:
        message: Message[None] = Message(**_JSON.decode(body))
    except (DecodeError, TypeError) as fault:
        raise JobIsUnreadable(f"A message cannot be read: {fault}") from fault
    return message


class JobWriter:
    """Writes the jobs that appended events call for, in the transaction of the append.

    The jobs appear with the events or not at all. Their ids come from the event and the command,
    so the same append never queues the same work twice. Those of *births* belong to this process
    from then on.
    """

    def __init__(
        self,
        lanes: Lanes,
        reactions: Callable[[Recorded], Iterable[Command]],
        births: Births | None = None,
    ) -> None:
        self._lanes = lanes
        self._reactions = reactions
        self._births = births or Births()

    def __call__(
        self, into: Statements, recorded: Sequence[Recorded], payloads: object = ()
    ) -> None:
        """Queue the commands that the policies answer *recorded* with, in one statement at most."""
        del payloads
        jobs = [caused(command, cause) for cause in recorded for command in self._reactions(cause)]
        if jobs:
            into.execute(INSERT, insertion(jobs, self._lanes, self._births.born))


def caused(command: Command, cause: Recorded) -> Job:
    """The job that carries *command* because of *cause*."""
    envelope = cause.envelope
    return Job(
        reaction_id(envelope.event_id, command.fingerprint),
        command,
        JobContext(
            tenant=envelope.tenant,
            actor=envelope.actor,
            correlation_id=envelope.correlation_id,
            causation_id=envelope.event_id,
            traceparent=envelope.traceparent,
        ),
    )


def _unborn(command: Command, message_id: UUID, message: bytes) -> None:
    """Whoever is first may claim it."""
    del command, message_id, message


def insertion(
    jobs: Sequence[Job],
    lanes: Lanes,
    born: Callable[[Command, UUID, bytes], Birth | None] = _unborn,
) -> Mapping[str, object]:
    """The parameters of ``INSERT`` for *jobs*; those that are *born* claimed have an owner."""
    queues = [lanes[type(job.command)].queue for job in jobs]
    messages = [job.encoded(queue) for job, queue in zip(jobs, queues, strict=True)]
    births = [
        born(job.command, job.id, message) for job, message in zip(jobs, messages, strict=True)
    ]
    return {
        "ids": [job.id for job in jobs],
        "keys": [job.key for job in jobs],
        "queues": queues,
        "messages": messages,
        "owners": [birth and birth.owner for birth in births],
        "claims": [birth and birth.token for birth in births],
    }
