"""The stored forms of an event: as it goes into the table, and as it comes back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent


@dataclass(frozen=True)
class SealedEvent(StoredEvent):
    """An event ready to be appended; ``metadata`` is the JSON of the rest of its envelope."""

    originator_id: UUID
    event_id: UUID
    tenant: str
    metadata: str


@dataclass(frozen=True)
class LogEntry(Notification):
    """A row of the log; ``id`` is its position, ``metadata`` the text that was appended."""

    event_id: UUID
    tenant: str
    metadata: str
    recorded_at: datetime
