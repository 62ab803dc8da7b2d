"""Two tenants with equal names and contents, and one service behind its walls, for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.isolation.things import Tenant, made
from tests.support.postgres import copy_of
from tests.support.walled import Walled, walled


@pytest.fixture(scope="session")
def service(
    cluster: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Walled]:
    home: Path = tmp_path_factory.mktemp("isolation")
    with copy_of(template, cluster) as database, walled(database, home) as service:
        yield service


@pytest.fixture(scope="session")
def tenants(service: Walled) -> tuple[Tenant, Tenant]:
    """Amber and birch."""
    return made(service, "amber"), made(service, "birch")
