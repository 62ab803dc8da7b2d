"""F-05: the API killed with -9, right after it accepted and under load."""

import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.support import invariants
from tests.support.load import wait_until_all_ended, writing
from tests.support.service import Service, until
from tests.support.triage import Triage, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker]

KILLS: Final = 5


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


def test_f_05_a_write_whose_answer_was_lost_is_repeated_and_done_once(service: Service) -> None:
    triage = Triage(service.http()).create()
    with writing(service, triage, clients=3) as writers:
        for _ in range(KILLS):
            time.sleep(1)
            service.kill("api")
            service.restart("api")
            service.wait_until_ready()
    assert sum(writer.repeated for writer in writers) >= KILLS
    wait_until_all_ended(service)
    acknowledged = [key for writer in writers for key in writer.acknowledged]
    log = invariants.check(service.database, acknowledged=acknowledged)
    invariants.check_ended(invariants.by_stream(log))
