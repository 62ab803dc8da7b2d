import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.postgres.embedded import EmbeddedPostgres
from tests.support.event_log import log, pool, recorder
from tests.support.postgres import prepared
from tests.support.service import Service, pytest_runtest_makereport
from tests.support.triage import TriageLm

__all__ = ["log", "pool", "pytest_runtest_makereport", "recorder"]


@pytest.fixture
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, with every safety on."""
    home = Path(tempfile.mkdtemp(prefix="stratal-home-"))
    server = EmbeddedPostgres(home)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(home)


@pytest.fixture
def service(postgres: EmbeddedPostgres) -> Iterator[Service]:
    with TriageLm() as lm, Service(prepared(postgres.url), lm) as service:
        yield service
