"""Events in their envelopes to rows and back: validated on the way in and again on the way out."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from pydantic import ValidationError
from pydantic_core import from_json

from domain.kernel import Envelope, Event, Recorded
from infrastructure.eventstore.decoding import Decoder
from infrastructure.eventstore.stored import LogEntry, SealedEvent
from infrastructure.eventstore.topics import EVENTS, Registry
from infrastructure.eventstore.upcasters import Upcasters

_APART = {"event_id", "tenant"}
"""Envelope fields with a column of their own."""


class UnreadableEvent(Exception):
    """A row of the log that this release cannot read; it is left as it is."""

    code: ClassVar[str] = "event.unreadable"

    def __init__(self, position: int, topic: str, why: str) -> None:
        super().__init__(f"The event at position {position} ({topic}) cannot be read: {why}.")
        self.position, self.topic = position, topic


class EventMapper(Mapper[UUID]):
    """The library's seam between events and stored events, closed to topics outside *registry*."""

    def __init__(self, registry: Registry = EVENTS, upcasters: Upcasters | None = None) -> None:
        # Not super().__init__: its transcoder, and its import of whatever a topic names, are
        # just what this class replaces.
        self._decoder = Decoder(registry, upcasters or Upcasters.of_the_house(registry))

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> SealedEvent:
        assert isinstance(domain_event, Recorded)
        event, envelope = domain_event.event, domain_event.envelope
        version, at = event.VERSION, domain_event.timestamp.isoformat()
        state = f'{{"v":{version},"at":"{at}","event":{event.model_dump_json()}}}'
        return SealedEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=event.TOPIC,
            state=state.encode(),
            event_id=envelope.event_id,
            tenant=envelope.tenant,
            metadata=envelope.model_dump_json(exclude=_APART),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        """Read a row of the log.

        Raises:
            UnreadableEvent: Its topic or version is not known here, or its state is not valid.
        """
        assert isinstance(stored_event, LogEntry)
        assert isinstance(stored_event.originator_id, UUID)
        try:
            event, at = self._decoder.decode(stored_event.topic, stored_event.state)
            timestamp = datetime.fromisoformat(at)
            envelope = _envelope(stored_event)
        except Exception as error:  # an upcaster may raise anything
            raise UnreadableEvent(stored_event.id, stored_event.topic, _why(error)) from error
        return Recorded(
            originator_id=stored_event.originator_id,
            originator_version=stored_event.originator_version,
            event=event,
            timestamp=timestamp,
            envelope=envelope,
            position=stored_event.id,
            recorded_at=stored_event.recorded_at,
        )

    def event(self, entry: LogEntry) -> Event:
        """Read the event alone, which is all that a fold needs.

        Raises:
            UnreadableEvent: As above.
        """
        try:
            return self._decoder.decode(entry.topic, entry.state).event
        except Exception as error:  # an upcaster may raise anything
            raise UnreadableEvent(entry.id, entry.topic, _why(error)) from error


def _envelope(entry: LogEntry) -> Envelope:
    parts: dict[str, object] = from_json(entry.metadata)
    parts["event_id"], parts["tenant"] = entry.event_id, entry.tenant
    return Envelope.model_validate(parts)


def _why(error: Exception) -> str:
    """The reason without the stored values: they may be personal."""
    if isinstance(error, ValidationError):
        where = ", ".join(
            ".".join(map(str, fault["loc"])) + " " + fault["type"]
            for fault in error.errors(include_input=False, include_url=False)
        )
        return f"its state is not valid ({where})"
    if isinstance(error, KeyError):
        return f"its state lacks {error}"
    return str(error).rstrip(".") or type(error).__name__
