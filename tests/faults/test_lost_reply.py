"""F-02: workers that die when the model answered, before its answer is on record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from domain.execution.events import ExecutionCompleted
from tests.support import invariants
from tests.support.service import Service, until
from tests.support.triage import Triage, TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker]

KILLS: Final = 3
WORKERS: Final = ("worker-1", "worker-2")


@pytest.fixture
def service(database: str, tmp_path: Path) -> Iterator[Service]:
    notes = tmp_path / "notes"
    notes.touch()
    with (
        TriageLm() as lm,
        Service(
            database,
            lm,
            workers=len(WORKERS),
            worker_argv=("-m", "tests.support.mortal_worker"),
            environment={"TEST_NOTES": str(notes)},
        ) as service,
    ):
        yield service


def test_f_02_each_answer_that_died_with_its_worker_is_asked_for_once_more_and_booked_once(
    service: Service,
) -> None:
    """Every execution loses the answer to its call: 3 here, each of them ends well (100 %)."""
    triage = Triage(service.http()).create()
    for number in range(KILLS):
        path = triage.http.begin(
            f"{triage.program}/execute", {"inputs": {"message": f"Number {number}"}}, wait=0
        )
        _start_again_who_died(service)
        assert triage.http.follow(path, timeout_s=60)["status"] == "completed"

    streams = invariants.by_stream(invariants.check(service.database))
    invariants.check_ended(streams)
    runs = [stream for stream in streams.values() if invariants.calls(stream)]
    assert len(runs) == KILLS
    assert service.lm.calls == 2 * KILLS, "one surplus call for each kill (I-07)"
    for run in runs:
        [call], end = invariants.calls(run), run[-1].event
        assert isinstance(end, ExecutionCompleted)
        assert (end.spend.calls, end.spend.total_tokens) == (1, call.usage.total_tokens)
        starts = [each for each in run if each.event.TOPIC == "execution.started"]
        assert len(starts) == 2, "the log tells of the attempt that came to nothing"


def _start_again_who_died(service: Service) -> None:
    [dead] = until(
        lambda: [name for name in WORKERS if not service.processes[name].is_alive],
        bool,
        timeout_s=60,
    )
    service.restart(dead)
