from collections.abc import Iterator

import pytest

from tests.support.throwaway_cluster import throwaway_cluster
from tests.support.workers import Notebook


@pytest.fixture(scope="session")
def installed() -> Iterator[Notebook]:
    with throwaway_cluster() as cluster:
        notebook = Notebook(cluster.conninfo)
        notebook.install()
        yield notebook


@pytest.fixture
def notebook(installed: Notebook) -> Notebook:
    installed.execute("TRUNCATE notes, stratal.jobs")
    return installed
