from collections.abc import Sequence
from uuid import UUID

import pytest

from application.payloads import Payload
from domain.kernel import Recorded
from infrastructure.eventstore.receipts import PostgresNames
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.sql import Statements
from tests.contracts.repository import Notes, OtherKind, RepositoryContract


def keep_payload_digests(
    into: Statements, recorded: Sequence[Recorded], payloads: Sequence[Payload]
) -> None:
    for each in payloads:
        into.execute("INSERT INTO kept VALUES (%s)", [each.ref.digest])


class TestEventSourcedRepository(RepositoryContract):
    @pytest.fixture(autouse=True)
    def _open(self, recorder: PostgresRecorder) -> None:
        self.recorder = recorder
        self.log = EventLog(recorder, inline=[keep_payload_digests])
        with recorder.pool.connection() as connection:
            connection.execute("CREATE TABLE kept (digest text PRIMARY KEY)")

    def repository(self) -> EventSourcedRepository[Notes]:
        return EventSourcedRepository(self.log, Notes)

    def of_another_kind(self) -> EventSourcedRepository[OtherKind]:
        return EventSourcedRepository(self.log, OtherKind)

    def names(self) -> PostgresNames:
        return PostgresNames(self.recorder)

    def recorded(self, id: UUID) -> Sequence[Recorded]:
        return self.log.history(id)

    def payloads(self) -> list[str]:
        with self.recorder.reading() as cursor:
            return [digest for (digest,) in cursor.execute("SELECT digest FROM kept")]
