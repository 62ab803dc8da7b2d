"""A job that fails each time, by a fault that nobody foresaw: tried three times, then given up."""

from collections.abc import Iterator

import pytest

from infrastructure.workers.lanes import LANES
from tests.support import invariants
from tests.support.service import Service, until
from tests.support.triage import Triage, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker]


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    argv = ("-m", "tests.support.failing_worker")
    with TriageLm() as lm, Service(database, lm, worker_argv=argv) as service:
        yield service


@pytest.mark.feature("JOB-01")
def test_job_01_a_job_that_always_fails_runs_three_times_then_it_has_failed_and_is_a_dead_letter(
    service: Service,
) -> None:
    triage = Triage(service.http()).create()
    path = triage.http.begin(f"{triage.program}/execute", {"inputs": {"message": "Why?"}}, wait=0)
    ended = triage.http.follow(path, timeout_s=60)
    assert (ended["status"], ended["attempts"]) == ("failed", 3)
    assert ended["failure"]["code"] == "execution.worker_lost"
    dead = "SELECT queue, tries, error FROM stratal.jobs WHERE dead_at IS NOT NULL"
    [(queue, tries, error)] = until(lambda: service.rows(dead), bool, timeout_s=30)
    assert (queue, tries) == ("ml_inference", 2), "the third failure is the last"
    assert error == "RuntimeError: a bug of ours"
    starts = [each for each in triage.http.events() if each["topic"] == "execution.started"]
    assert len(starts) == 3
    invariants.check_ended(invariants.by_stream(invariants.check(service.database)))


@pytest.mark.feature("JOB-03")
def test_job_03_each_kind_of_work_has_its_queue() -> None:
    queues = {command.__name__: lane.queue for command, lane in LANES.items()}
    assert queues["RunExecution"] == queues["RunReplay"] == "ml_inference"
    assert queues["RunOptimization"] == queues["RunEvaluation"] == "ml_optimization"
