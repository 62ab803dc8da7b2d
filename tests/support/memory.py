"""Fakes of the event log for handler tests; the repository contract holds them to the real one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from application.context import Context, current
from application.errors import (
    AggregateNotFound,
    ConcurrentWrite,
    IdempotencyKeyReused,
    IdIsUnusable,
    NameIsTaken,
)
from application.payloads import Payload
from application.ports import Claim, Receipt
from application.reacting import Reaction
from domain.kernel import Aggregate, Envelope, Pending, Recorded
from domain.program.values import Pins

A = TypeVar("A", bound=Aggregate[Any])
NOW = datetime(2030, 1, 1, tzinfo=UTC)

Inline = Callable[[Sequence[Recorded], Sequence[Payload]], None]
"""What belongs to an append besides the events: a fake payload store, a fake queue."""


@dataclass
class FixedClock:
    """A clock that stands still until it is told otherwise."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class FixedPins:
    """What every version of a test depends on."""

    now: Pins = Pins(adapter="chat", libraries={"dspy": "3.4.1"})  # noqa: RUF009 - a value

    def pins(self) -> Pins:
        return self.now


@dataclass
class MemoryLog:
    """Every stream, claim and receipt; repositories share a log as they share a database."""

    inline: Sequence[Inline] = ()
    recorded: list[Recorded] = field(default_factory=list[Recorded])
    claims: dict[tuple[str, str, str], UUID] = field(
        default_factory=dict[tuple[str, str, str], UUID]
    )
    receipts: dict[tuple[str, str], tuple[str, Receipt]] = field(
        default_factory=dict[tuple[str, str], tuple[str, Receipt]]
    )
    lock: RLock = field(default_factory=RLock)

    def stream(self, id: UUID) -> list[Recorded]:
        return [each for each in self.recorded if each.originator_id == id]

    def find(self, context: Context) -> Receipt | None:
        """The receipt of an earlier command with the same key."""
        first = self.receipts.get((context.tenant, context.command_id))
        if context.fingerprint is None or first is None:
            return None
        if first[0] != context.fingerprint:
            raise IdempotencyKeyReused(context.command_id)
        return replace(first[1], is_repeat=True)


class MemoryRepository(Generic[A]):
    """A repository without a database."""

    def __init__(self, kind: type[A], log: MemoryLog | None = None) -> None:
        self.kind = kind
        self.log = log or MemoryLog()

    def get(self, id: UUID, *, version: int | None = None) -> A:
        history = self.log.stream(id)[:version]
        if not history or not self._is_mine(history[0]):
            raise AggregateNotFound(self.kind.KIND, id)
        return self.kind.fold(id, (each.event for each in history))

    def save(
        self,
        aggregate: A,
        *,
        payloads: Sequence[Payload] = (),
        claim: Claim | None = None,
        reaction: Reaction[A] | None = None,
    ) -> Receipt:
        context, pending = current(), aggregate.collect()
        with self.log.lock:
            if first := self.log.find(context):
                return first
            receipt = Receipt(aggregate.id, aggregate.version, 0)
            if pending:
                receipt = self._append(aggregate, pending, payloads, claim, reaction)
            if context.fingerprint is not None:
                key = (context.tenant, context.command_id)
                self.log.receipts[key] = (context.fingerprint, receipt)
            return receipt

    def _is_mine(self, first: Recorded) -> bool:
        kind = first.event.TOPIC.partition(".")[0]
        return kind == self.kind.KIND and first.envelope.tenant == current().tenant

    def _append(
        self,
        aggregate: A,
        pending: Sequence[Pending[Any]],
        payloads: Sequence[Payload],
        claim: Claim | None,
        reaction: Reaction[A] | None,
    ) -> Receipt:
        context, log = current(), self.log
        if claim and log.claims.get(_key(context, claim), claim.holder) != claim.holder:
            raise NameIsTaken(claim.kind, claim.name)
        stream = log.stream(aggregate.id)
        if stream and stream[0].envelope.tenant != context.tenant:
            raise IdIsUnusable(aggregate.KIND, aggregate.id)
        if len(stream) != pending[0].version - 1:
            raise ConcurrentWrite(aggregate.KIND, aggregate.id)
        envelopes = [(each, _envelope(context)) for each in pending]
        if reaction is not None:
            reaction.decide(aggregate)
            by = reaction.context(context, envelopes[0][1])
            envelopes += [(each, _envelope(by)) for each in aggregate.collect()]
        head = len(log.recorded)
        appended = [
            Recorded(
                originator_id=aggregate.id,
                originator_version=each.version,
                event=each.event,
                timestamp=each.at,
                envelope=envelope,
                position=head + number,
            )
            for number, (each, envelope) in enumerate(envelopes, start=1)
        ]
        for write in log.inline:
            write(appended, payloads)
        log.recorded.extend(appended)
        if claim:
            log.claims[_key(context, claim)] = claim.holder
        return Receipt(aggregate.id, aggregate.version, len(log.recorded))


@dataclass
class ToldUsers:
    """Users of signatures, as a test tells them."""

    modules: Sequence[str] = ()

    def modules_of(self, signature_id: UUID) -> Sequence[str]:
        return self.modules


class MemoryNames:
    """The claims of a memory log, as the application reads them."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log

    def holder(self, kind: str, name: str) -> UUID | None:
        return self.log.claims.get((current().tenant, kind, name))

    def holders(self, kind: str, beginning: str) -> Sequence[UUID]:
        mine = (current().tenant, kind)
        return [
            holder
            for (*of, name), holder in sorted(self.log.claims.items())
            if (*of,) == mine and name.startswith(beginning)
        ]


def _key(context: Context, claim: Claim) -> tuple[str, str, str]:
    return context.tenant, claim.kind, claim.name


def _envelope(context: Context) -> Envelope:
    return Envelope(
        event_id=uuid4(),
        tenant=context.tenant,
        actor=context.actor,
        command=context.command,
        command_id=context.command_id,
        correlation_id=context.correlation_id,
        causation_id=context.causation_id,
        traceparent=context.traceparent,
    )
