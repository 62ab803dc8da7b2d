"""The stored forms of an event: as it goes into the table, and as it comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent


@dataclass(frozen=True)
class SealedEvent(StoredEvent):
    """An event ready to be appended; ``metadata`` is the JSON of the rest of its envelope."""

    event_id: UUID
    tenant: str
    metadata: str


@dataclass(frozen=True)
class LogEntry(Notification):
    """A row of the log; ``id`` is its position."""

    event_id: UUID
    tenant: str
    metadata: Mapping[str, Any] = field(hash=False)
    recorded_at: datetime
