"""What becomes of an event that a read model cannot show: a stream for each such event."""

from typing import ClassVar
from uuid import UUID

from domain.kernel import Event


class EventParked(Event):
    """A read model does without an event, and without the later ones of its stream.

    ``error`` is the kind of failure; its words may hold values of the event and stay out of it.
    """

    TOPIC: ClassVar[str] = "parking.event_parked"

    projection: str
    version: int
    position: int
    topic: str
    stream_id: UUID
    error: str
    attempts: int


class ParkedEventReplayed(Event):
    """The read model has been mended and shows the event now."""

    TOPIC: ClassVar[str] = "parking.event_replayed"

    projection: str
    version: int
    position: int
    topic: str
    stream_id: UUID


ParkingEvent = EventParked | ParkedEventReplayed
