"""The log in the words of the application: histories, saves, names and receipts."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from eventsourcing.persistence import IntegrityError
from psycopg.errors import CheckViolation, UniqueViolation
from uuid_utils.compat import uuid7

from application.context import Context, current, tenant_at_work
from application.errors import (
    AggregateNotFound,
    ConcurrentWrite,
    IdIsUnusable,
    NameIsTaken,
    RuleRefused,
)
from application.payloads import Payload
from application.ports import Claim, Receipt
from application.reacting import Reaction
from application.tracing import NoTracing, Tracing
from domain.kernel import Aggregate, Envelope, Event, Pending, Recorded
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.receipts import Receipts
from infrastructure.eventstore.recorder import NameIsHeld, PostgresRecorder, ReceiptExists
from infrastructure.eventstore.requests import Beside
from infrastructure.eventstore.stored import LogEntry
from infrastructure.sql import Statements

A = TypeVar("A", bound=Aggregate[Any])

InlineWriter = Callable[[Statements, Sequence[Recorded], Sequence[Payload]], None]
"""Writes what belongs to appends of one tenant in their transaction, before there are positions.

Rows that other appends may write too go in a fixed order, or two transactions wait for each other.
"""


class EventLog:
    """Every event of every tenant, in one order."""

    def __init__(
        self,
        recorder: PostgresRecorder,
        *,
        inline: Sequence[InlineWriter] = (),
        tracing: Tracing | None = None,
        mapper: EventMapper | None = None,
    ) -> None:
        self.tracing = tracing or NoTracing()
        self.receipts = Receipts(recorder)
        self._recorder, self._inline = recorder, inline
        self._mapper = mapper or EventMapper()

    def append(
        self,
        recorded: Sequence[Recorded],
        payloads: Sequence[Payload] = (),
        *,
        claim: dict[str, str] | None = None,
        receipt: dict[str, str | int] | None = None,
    ) -> int:
        """Append with all that belongs to it; the position of the last event, 0 if there is none.

        Raises:
            IntegrityError, ReceiptExists, NameIsHeld, StoreIsUnavailable: See the recorder.
        """
        sealed = [self._mapper.to_stored_event(each) for each in recorded]
        write = self._write if self._inline and recorded else None
        beside = Beside(claim, receipt, write, (recorded, payloads))
        positions = self._recorder.append(sealed, beside)
        return positions[-1] if positions else 0

    def history(self, id: UUID, *, version: int | None = None) -> Sequence[Recorded]:
        """One stream from its beginning, up to *version*; empty when there is none.

        Within a context it is empty, too, when the stream is another tenant's.

        Raises:
            UnreadableEvent: This release cannot read a part of it.
        """
        entries = self.stream(id, version=version)
        return [self._mapper.to_domain_event(entry) for entry in entries]

    def stream(self, id: UUID, *, version: int | None = None) -> Sequence[LogEntry]:
        """The same as it is stored, for ``event`` to read."""
        return self._recorder.select_events(id, lte=version, tenant=tenant_at_work())

    def event(self, entry: LogEntry) -> Event:
        """Read the event of *entry* without its envelope.

        Raises:
            UnreadableEvent: This release cannot.
        """
        return self._mapper.event(entry)

    def events(
        self,
        after_position: int,
        limit: int,
        *,
        tenant: str | None = None,
        topics: Sequence[str] = (),
        stop: int | None = None,
    ) -> Sequence[Recorded]:
        """The next events of the log, oldest first.

        Args:
            after_position: Only later ones.
            limit: At most so many.
            tenant: Only of one tenant; else of all that the pool's sessions see.
            topics: Only of these topics, unless there are none.
            stop: Look no further than this position.

        Raises:
            UnreadableEvent: This release cannot read one of them.
        """
        entries = self._recorder.select_notifications(
            after_position, limit, stop, topics, inclusive_of_start=False, tenant=tenant
        )
        return [self._mapper.to_domain_event(entry) for entry in entries]

    def head(self) -> int:
        """The position of the last event; 0 in an empty log."""
        return self._recorder.max_notification_id() or 0

    def _write(
        self,
        into: Statements,
        appends: Sequence[tuple[Sequence[Recorded], Sequence[Payload]]],
    ) -> None:
        """Write what several appends bring, tenant by tenant, each tenant's at once."""
        of_tenant: dict[str, tuple[list[Recorded], list[Payload]]] = {}
        for recorded, payloads in appends:
            every = of_tenant.setdefault(recorded[0].envelope.tenant, ([], []))
            every[0].extend(recorded)
            every[1].extend(payloads)
        for _, (recorded, payloads) in sorted(of_tenant.items()):
            for write in self._inline:
                write(into, recorded, payloads)


class EventSourcedRepository(Generic[A]):
    """``application.ports.Repository`` over the log.

    A command with a fingerprint saves one aggregate once: its receipt is the command's.
    """

    def __init__(self, log: EventLog, kind: type[A]) -> None:
        self._log, self._kind = log, kind

    def get(self, id: UUID, *, version: int | None = None) -> A:
        entries = self._log.stream(id, version=version)
        if not entries or not self._is_mine(entries[0]):
            raise AggregateNotFound(self._kind.KIND, id)
        return self._kind.fold(id, map(self._log.event, entries))

    def save(
        self,
        aggregate: A,
        *,
        payloads: Sequence[Payload] = (),
        claim: Claim | None = None,
        reaction: Reaction[A] | None = None,
    ) -> Receipt:
        context, pending = current(), aggregate.collect()
        if not pending and context.fingerprint is None:
            return Receipt(aggregate.id, aggregate.version, 0)
        recorded = [_recorded(context, aggregate.id, each) for each in pending]
        if reaction is not None:
            reaction.decide(aggregate)
            by = reaction.context(context, recorded[0].envelope)
            recorded += [_recorded(by, aggregate.id, each) for each in aggregate.collect()]
        with self._log.tracing.span(f"append {self._kind.KIND}", {"events": len(recorded)}) as span:
            try:
                position = self._log.append(
                    recorded,
                    payloads,
                    claim=_claim_row(context, claim) if claim and recorded else None,
                    receipt=_receipt_row(context, aggregate),
                )
            except ReceiptExists:
                return self._log.receipts.first(context)
            except NameIsHeld:
                assert claim is not None
                raise NameIsTaken(claim.kind, claim.name) from None
            except IntegrityError:
                if not self._log.stream(aggregate.id, version=1):
                    raise IdIsUnusable(aggregate.KIND, aggregate.id) from None
                raise ConcurrentWrite(aggregate.KIND, aggregate.id) from None
            except (CheckViolation, UniqueViolation) as error:
                if (first := self._log.receipts.find(context)) is not None:
                    return first
                raise RuleRefused(error.diag.constraint_name or "") from error
            span.set({"position": position})
        return Receipt(aggregate.id, aggregate.version, position)

    def _is_mine(self, first: LogEntry) -> bool:
        kind = first.topic.partition(".")[0]
        return kind == self._kind.KIND and first.tenant == current().tenant


def _recorded(context: Context, id: UUID, pending: Pending[Any]) -> Recorded:
    return Recorded(
        originator_id=id,
        originator_version=pending.version,
        event=pending.event,
        timestamp=pending.at,
        envelope=Envelope(
            event_id=uuid7(),
            tenant=context.tenant,
            actor=context.actor,
            command=context.command,
            command_id=context.command_id,
            correlation_id=context.correlation_id,
            causation_id=context.causation_id,
            traceparent=context.traceparent,
        ),
    )


def _claim_row(context: Context, claim: Claim) -> dict[str, str]:
    return {
        "tenant": context.tenant,
        "kind": claim.kind,
        "name": claim.name,
        "holder": str(claim.holder),
    }


def _receipt_row(context: Context, aggregate: Aggregate[Any]) -> dict[str, str | int] | None:
    if context.fingerprint is None:
        return None
    return {
        "tenant": context.tenant,
        "command_id": context.command_id,
        "fingerprint": context.fingerprint,
        "command": context.command,
        "aggregate_id": str(aggregate.id),
        "version": aggregate.version,
    }
