"""Tells the log what was parked and what was replayed, so that the audit trail says it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString
from uuid import UUID, uuid5

from domain.kernel import Envelope, Recorded
from domain.parking.events import EventParked, ParkedEventReplayed
from infrastructure.eventstore import statements
from infrastructure.eventstore.recorder import Pool
from infrastructure.eventstore.repository import EventLog
from infrastructure.eventstore.stored import LogEntry
from infrastructure.system import SystemClock

_IDS: Final = UUID("0b0f8a52-6c1b-4f0e-9a37-6f5f0d6a7e11")

# What is told of itself is not told again, or a trail that cannot show it would never end.
_UNTOLD: LiteralString = """
    SELECT projection, version, position, reason, attempts FROM stratal.parked
    WHERE attempts > 0 AND NOT told AND topic NOT LIKE 'parking.%%' ORDER BY position LIMIT 100
"""
_TOLD: LiteralString = """
    UPDATE stratal.parked SET told = true
    WHERE projection = %s AND version = %s AND position = %s
"""


@dataclass(frozen=True, slots=True)
class ParkingReports:
    """Appends what happens to parked events to *log*, for the tenant of each, once."""

    pool: Pool
    log: EventLog

    def parked(self) -> None:
        """Tell of everything parked that was not told of yet.

        Raises:
            StoreIsUnavailable, psycopg.Error: It is told the next time.
        """
        with self.pool.connection() as connection:
            untold = connection.execute(_UNTOLD).fetchall()
        for projection, version, position, reason, attempts in untold:
            if entry := self._entry(position):
                event = EventParked(
                    projection=projection,
                    version=version,
                    position=position,
                    topic=entry.topic,
                    stream_id=_stream(entry),
                    error=reason.partition(":")[0],
                    attempts=attempts,
                )
                self._append(entry, event, 1, "projector")
            with self.pool.connection() as connection:
                connection.execute(_TOLD, (projection, version, position))

    def replayed(self, projection: str, version: int, positions: Sequence[int], by: str) -> None:
        """Tell that *by* had the events at *positions*, which were told of, folded after all."""
        for position in positions:
            entry = self._entry(position)
            if entry is None:
                continue
            event = ParkedEventReplayed(
                projection=projection,
                version=version,
                position=position,
                topic=entry.topic,
                stream_id=_stream(entry),
            )
            self._append(entry, event, 2, by)

    def _append(
        self,
        entry: LogEntry,
        event: EventParked | ParkedEventReplayed,
        version: int,
        actor: str,
    ) -> None:
        """Append *event* about *entry*; the same one again changes nothing."""
        parking = uuid5(_IDS, f"{event.projection} {event.version} {event.position}")
        event_id = uuid5(parking, str(version))
        envelope = Envelope(
            event_id=event_id,
            tenant=entry.tenant,
            actor=actor,
            command="ParkEvent" if version == 1 else "ReplayParkedEvents",
            command_id=str(event_id),
            correlation_id=parking,
            causation_id=entry.event_id if version == 1 else None,
        )
        self.log.append([Recorded(parking, version, event, SystemClock().now(), envelope)])

    def _entry(self, position: int) -> LogEntry | None:
        """What is at *position*, unless its partition has left the log."""
        with self.pool.connection() as connection, connection.cursor(binary=True) as cursor:
            found = statements.tail(cursor, position - 1, 1, stop=position)
        return found[0] if found else None


def _stream(entry: LogEntry) -> UUID:
    assert isinstance(entry.originator_id, UUID)
    return entry.originator_id
