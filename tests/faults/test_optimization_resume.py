"""F-03: the process of an optimization killed with -9 in the middle; it goes on where it was."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from domain.kernel import Recorded
from domain.optimization.events import OptimizationCompleted, TrialScored
from tests.support import invariants
from tests.support.service import Service, is_running, kill, until
from tests.support.triage import Triage, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(600)]

WISH: dict[str, Any] = {"config": {"num_candidate_programs": 2}, "program_version": 1}


@pytest.fixture
def lm() -> Iterator[TriageLm]:
    with TriageLm() as lm:
        yield lm


@pytest.fixture
def service(database: str, lm: TriageLm) -> Iterator[Service]:
    with Service(database, lm) as service:
        yield service


@pytest.mark.feature("JOB-03")
@pytest.mark.feature("OPT-20")
def test_opt_20_kills_change_neither_the_outcome_nor_repeat_a_recorded_call(
    service: Service, lm: TriageLm
) -> None:
    triage = Triage(service.http()).create()
    triage.optimize("bootstrap_random_search", **WISH)
    undisturbed, lm.script.latency_ms = lm.asked(), 250
    lm.bodies.clear()

    path = triage.request_optimization("bootstrap_random_search", **WISH)
    lost = 0
    for after, victim in ((4, "child"), (14, "child"), (26, "worker")):
        _wait_for_call(service, undisturbed.total(), after)
        # The next one is at the model before the kill, which takes a quarter of a second there.
        until(
            lambda: len(lm.bodies) - _recorded(service, undisturbed.total()),
            lost.__lt__,
            timeout_s=120,
            every_s=0.02,
        )
        _kill(service, victim)
        lost = len(lm.bodies) - _recorded(service, undisturbed.total())
    ended = triage.http.follow(path, timeout_s=300)
    assert ended["status"] == "completed"
    assert ended["attempts"] == 4

    log = invariants.check(service.database)
    first, second = _optimizations(log)
    assert _outcome(first) == _outcome(second)
    surplus = lm.asked() - undisturbed
    # What was in flight at a kill is asked again; nothing else is.
    assert surplus.total() == lost > 0
    assert max(surplus.values(), default=0) <= 3
    assert not undisturbed - lm.asked()


def _recorded(service: Service, before: int) -> int:
    """How many calls are in the log, of those after the first *before*."""
    query = "SELECT count(*) FROM stratal.events WHERE topic = 'optimization.lm_called'"
    return int(service.rows(query)[0][0]) - before


def _wait_for_call(service: Service, before: int, number: int) -> None:
    until(lambda: _recorded(service, before), number.__le__, timeout_s=120, every_s=0.02)


def _kill(service: Service, victim: str) -> None:
    """End the *victim*; a killed worker takes its child along and is started again."""
    worker = service.processes["worker-1"]
    [child] = worker.children()
    if victim == "child":
        kill(child)
    else:
        worker.kill()
        worker.start()
    until(lambda: is_running(child), lambda runs: not runs, timeout_s=10)


def _optimizations(log: Sequence[Recorded]) -> Sequence[Sequence[Recorded]]:
    streams = invariants.by_stream(log)
    invariants.check_ended(streams)
    return [it for it in streams.values() if it[0].event.TOPIC == "optimization.requested"]


def _outcome(run: Sequence[Recorded]) -> object:
    """All that an optimization found, in order, and what it asked to find it."""
    trials = [each.event for each in run if isinstance(each.event, TrialScored)]
    end = run[-1].event
    assert isinstance(end, OptimizationCompleted)
    keys = sorted(call.key for call in invariants.calls(run))
    return trials, end.state, end.training_score, end.spend, keys
