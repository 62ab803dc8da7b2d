"""Fixtures of the read model tests: one set of tables for a module, kept apart by tenant."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.histories import Log
from tests.support.postgres import copy_of
from tests.support.projecting import ProjectionScenario, ReadModels, read_models


@pytest.fixture(scope="module")
def models(cluster: str, template: str) -> Iterator[ReadModels]:
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as opened:
        yield opened


@pytest.fixture
def scenario(models: ReadModels) -> ProjectionScenario:
    return ProjectionScenario(models, Log(tenant=f"tenant-{uuid4().hex}"))
