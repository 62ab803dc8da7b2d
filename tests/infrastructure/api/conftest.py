"""Fixtures of the API tests: one world for a module, a tenant of its own for each test."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld
from tests.support.postgres import copy_of
from tests.support.projecting import read_models


@pytest.fixture(scope="module")
def world(cluster: str, template: str) -> Iterator[ApiWorld]:
    """Everything behind the API, with read models in Postgres."""
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as models:
        yield ApiWorld(models)


@pytest.fixture
def api(world: ApiWorld) -> Iterator[TestClient]:
    """The API as a tenant of the test's own sees it."""
    world.has_worker = True
    with world.client(f"t-{uuid4().hex}") as client:
        yield client
