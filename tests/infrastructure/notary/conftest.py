"""A log with a notary in the test's own database."""

from pathlib import Path

import pytest

from infrastructure.eventstore.repository import EventLog
from tests.support.event_log import log, pool, recorder
from tests.support.notarized import Notarized

__all__ = ["log", "pool", "recorder"]


@pytest.fixture
def notarized(database: str, log: EventLog, tmp_path: Path) -> Notarized:
    return Notarized(database, log, tmp_path)
