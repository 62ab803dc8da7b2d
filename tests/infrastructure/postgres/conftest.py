import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.postgres.embedded import EmbeddedPostgres


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that a test may break; whatever server it has is ended with the test."""
    # Not pytest's own directory, whose long path would hide what short ones do.
    path = Path(tempfile.mkdtemp(prefix="stratal-home-"))
    yield path
    EmbeddedPostgres(path).stop()
    shutil.rmtree(path)
