"""F-05: the API killed with -9 right after it accepted; what it accepted runs."""

from collections.abc import Iterator

import pytest

from tests.support import invariants
from tests.support.service import Service, until
from tests.support.triage import Triage, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker]


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    with TriageLm() as lm, Service(database, lm) as service:
        yield service


@pytest.mark.feature("EXE-05")
def test_exe_05_what_was_accepted_runs_though_the_api_is_gone(service: Service) -> None:
    triage = Triage(service.http()).create()
    service.kill("worker-1")
    made = triage.execute("It crashes on save", wait=0)["execution_id"]
    service.kill("api")
    service.restart("worker-1")
    ends = "SELECT count(*) FROM stratal.events WHERE topic = 'execution.completed'"
    until(lambda: service.rows(ends), lambda rows: rows == [(1,)], timeout_s=60)
    service.restart("api")
    service.wait_until_ready()
    assert triage.http.get(f"/v1/executions/{made}")["outputs"] == {"queue": "howto"}
    invariants.check(service.database)
