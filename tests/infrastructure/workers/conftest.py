from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.throwaway_cluster import ThrowawayCluster, throwaway_cluster
from tests.support.workers import Notebook


@pytest.fixture(scope="session")
def cluster() -> Iterator[ThrowawayCluster]:
    with throwaway_cluster() as cluster:
        yield cluster


@pytest.fixture
def notebook(cluster: ThrowawayCluster) -> Notebook:
    name = f"notes_{uuid4().hex[:8]}"
    Notebook(cluster.conninfo).execute(f"CREATE DATABASE {name}")
    notebook = Notebook(cluster.database(name))
    notebook.install()
    return notebook
