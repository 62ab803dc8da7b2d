"""An execution with a deadline has ended by it, whoever has it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from domain.execution.aggregate import Execution
from domain.execution.errors import ExecutionForbids
from domain.execution.events import ExecutionFailed, ExecutionRequested, ExecutionStarted
from domain.execution.values import TIMED_OUT
from domain.program.deadline import deadline_s_of
from domain.run import RunStatus
from domain.values import LmSpend
from tests.support.memory import NOW
from tests.support.runs import BROKEN, ref

DEADLINE = NOW + timedelta(seconds=30)
BEFORE = DEADLINE - timedelta(milliseconds=1)
TIMED_OUT_NOW = ExecutionFailed(failure=TIMED_OUT, duration_ms=None, spend=LmSpend())


def requested(*, started: bool = False) -> Execution:
    execution = Execution.request(
        uuid4(),
        program_id=uuid4(),
        program_version=3,
        inputs=ref("in"),
        deadline=DEADLINE,
        at=NOW,
    )
    if started:
        execution.start("worker-1", at=NOW)
    first, *_ = [pending.event for pending in execution.collect()]
    assert isinstance(first, ExecutionRequested)
    assert first.deadline == DEADLINE
    return execution


@pytest.mark.parametrize("started", [False, True])
def test_past_its_deadline_it_is_ended_wherever_it_is(started: bool) -> None:
    execution = requested(started=started)
    execution.time_out(at=BEFORE)
    assert execution.left_s(BEFORE) == 0.001
    assert execution.collect() == ()
    execution.time_out(at=DEADLINE)
    execution.time_out(at=DEADLINE)
    [ended] = execution.collect()
    assert ended.event == TIMED_OUT_NOW
    assert execution.status is RunStatus.FAILED


def test_one_that_ended_did_so_in_time() -> None:
    execution = requested(started=True)
    execution.fail(BROKEN, duration_ms=1, at=BEFORE)
    execution.collect()
    execution.time_out(at=DEADLINE)
    assert execution.collect() == ()


def test_who_takes_it_up_too_late_ends_it() -> None:
    execution = requested()
    execution.start("worker-1", at=BEFORE)
    execution.start("worker-2", at=DEADLINE)
    taken, ended = [pending.event for pending in execution.collect()]
    assert taken == ExecutionStarted(attempt=1, worker="worker-1")
    assert ended == TIMED_OUT_NOW
    with pytest.raises(ExecutionForbids):
        execution.start("worker-3", at=DEADLINE)


def test_without_a_deadline_it_takes_what_it_takes() -> None:
    execution = Execution.request(
        uuid4(), program_id=uuid4(), program_version=3, inputs=ref("in"), at=NOW
    )
    execution.collect()
    execution.time_out(at=NOW + timedelta(days=9))
    assert execution.collect() == ()
    assert execution.left_s(NOW) is None


@pytest.mark.parametrize(
    ("config", "deadline_s"),
    [
        ({}, None),
        ({"deadline_s": 12}, 12.0),
        ({"deadline_s": 600}, 600.0),
        ({"deadline_s": 0}, None),
        ({"deadline_s": 601}, None),
        ({"deadline_s": True}, None),
        ({"deadline_s": "12"}, None),
    ],
)
def test_a_program_says_in_its_config_how_long_it_may_take(
    config: dict[str, object], deadline_s: float | None
) -> None:
    assert deadline_s_of(config) == deadline_s  # type: ignore[arg-type]  # it is JSON
