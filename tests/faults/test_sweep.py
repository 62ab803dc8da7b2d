"""F-14: jobs that were lost, all of them; the sweep finds in the log what is due."""

from collections.abc import Iterator

import pytest

from tests.support import invariants
from tests.support.service import Service, until
from tests.support.triage import Triage, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker]

JOBS = "SELECT count(*) FROM stratal.jobs"


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    argv = ("-m", "tests.support.eager_worker")
    with TriageLm() as lm, Service(database, lm, worker_argv=argv) as service:
        yield service


def test_f_14_lost_jobs_are_sent_again_and_nothing_runs_twice(service: Service) -> None:
    triage = Triage(service.http()).create()
    http, ran = triage.http, triage.execute("It crashes at start")["execution_id"]
    until(lambda: service.rows(JOBS), lambda rows: rows == [(0,)], timeout_s=30)
    service.kill("worker-1")
    path = f"{triage.program}/execute"
    waiting = [
        *(http.begin(path, {"inputs": {"message": f"It {it}"}}, wait=0) for it in range(5)),
        triage.request_optimization("labeled_fewshot"),
    ]
    http.post(f"/v1/executions/{ran}/replay", wait=0)
    assert service.rows(JOBS) == [(7,)]
    service.rows("DELETE FROM stratal.jobs RETURNING 1")
    service.restart("worker-1")
    for each in waiting:
        assert http.follow(each)["status"] == "completed"
    until(
        lambda: http.get(f"/v1/executions/{ran}")["replays"][0]["outcome"],
        lambda outcome: outcome == "verified",
        timeout_s=30,
    )
    until(lambda: http.get(triage.program)["latest_version"], (2).__eq__, timeout_s=30)
    log = invariants.check(service.database)
    streams = invariants.by_stream(log)
    invariants.check_ended(streams)
    assert sum(len(invariants.calls(stream)) for stream in streams.values()) == service.lm.calls
    until(lambda: service.rows("SELECT * FROM stratal.jobs"), lambda jobs: jobs == [], timeout_s=30)
