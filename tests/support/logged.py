"""The API over a real log: what was appended there is what it tells."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient

from domain.kernel import Recorded
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.postgres.pool import open_pool
from tests.support.api import ApiWorld
from tests.support.projecting import ReadModels, read_models


@dataclass
class LoggedWorld:
    """A log, its read models, and the API over both."""

    database: str
    log: EventLog
    models: ReadModels
    api: ApiWorld
    projected: int = 0

    def append(self, recorded: Sequence[Recorded]) -> None:
        """Append *recorded*; the read models do not see it yet."""
        self.log.append(recorded)

    def project(self) -> None:
        """Let the read models catch up."""
        while new := self.log.events(self.projected, 500):
            self.models.project(new)
            self.projected = new[-1].position or 0

    def client(self, tenant: str, **changes: Any) -> TestClient:
        """The API as *tenant* sees it."""
        log = {"events": self.log.events, "head": self.log.head, "history": self.log.history}
        return self.api.client(tenant, **(log | changes))


@contextmanager
def logged_world(database: str) -> Generator[LoggedWorld, None, None]:
    """The world over the log in *database*."""
    with (
        open_pool(database, min_size=1, max_size=4, name="log") as pool,
        read_models(database) as models,
    ):
        yield LoggedWorld(database, EventLog(PostgresRecorder(pool)), models, ApiWorld(models))
