"""One run of a program: its attempts, its calls, its end and its replays."""

from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.execution.aggregate import Execution
from domain.execution.errors import ReplayNotFound
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionEvent,
    ExecutionFailed,
    ExecutionStarted,
    ReplayRequested,
)
from domain.execution.values import ReplayStatus
from domain.run import AttemptIsFenced, RunStatus
from domain.values import LmSpend
from tests.support.memory import NOW
from tests.support.runs import BROKEN, answered, key, ref, refused


def requested() -> Execution:
    execution = Execution.request(
        uuid4(), program_id=uuid4(), program_version=3, inputs=ref("in"), at=NOW
    )
    execution.collect()
    return execution


def started(attempts: int = 1) -> Execution:
    execution = requested()
    for _ in range(attempts):
        execution.start("worker-1", at=NOW)
    execution.collect()
    return execution


def events(execution: Execution) -> list[ExecutionEvent]:
    return [pending.event for pending in execution.collect()]


@pytest.mark.feature("EXE-02")
def test_exe_02_an_execution_belongs_to_one_version_of_one_program() -> None:
    program_id = uuid4()
    execution = Execution.request(
        uuid4(), program_id=program_id, program_version=3, inputs=ref("in"), at=NOW
    )
    assert (execution.program_id, execution.program_version) == (program_id, 3)
    assert execution.inputs == ref("in")


def test_a_redelivery_is_the_next_attempt_and_fences_off_the_one_before() -> None:
    execution = started()
    execution.start("worker-2", at=NOW)
    assert events(execution) == [ExecutionStarted(attempt=2, worker="worker-2")]
    assert execution.is_held_by(2)
    with pytest.raises(AttemptIsFenced, match="Attempt 1 no longer holds this execution"):
        execution.ensure_held_by(1)


def test_nobody_holds_an_execution_that_has_ended() -> None:
    execution = started()
    execution.cancel("enough", at=NOW)
    with pytest.raises(AttemptIsFenced, match="is cancelled at attempt 1"):
        execution.ensure_held_by(1)


@pytest.mark.feature("EXE-03")
def test_exe_03_after_three_lost_attempts_the_execution_fails() -> None:
    execution = started(attempts=3)
    execution.record_call(answered("one")[0], at=NOW)
    execution.collect()
    execution.start("worker-4", at=NOW)
    (failed,) = events(execution)
    assert isinstance(failed, ExecutionFailed)
    assert failed.failure.code == "execution.worker_lost"
    assert failed.duration_ms is None
    assert failed.spend == execution.spend
    assert execution.status is RunStatus.FAILED


@pytest.mark.feature("EXE-08")
def test_exe_08_the_spend_is_the_sum_over_the_calls() -> None:
    execution = started()
    for name in ("one", "two"):
        execution.record_call(answered(name)[0], at=NOW)
    execution.collect()
    execution.complete(ref("out"), duration_ms=12.5, at=NOW)
    assert events(execution) == [
        ExecutionCompleted(
            outputs=ref("out"),
            duration_ms=12.5,
            spend=LmSpend(
                calls=2,
                prompt_tokens=10,
                completion_tokens=4,
                total_tokens=14,
                cost_usd=Decimal("0.002"),
            ),
        )
    ]
    assert execution.outputs == ref("out")


@pytest.mark.feature("EXE-08")
def test_exe_08_an_unknown_count_stays_unknown_and_is_never_0() -> None:
    execution = started()
    execution.record_call(answered("one")[0], at=NOW)
    execution.record_call(refused("two")[0], at=NOW)
    assert execution.spend.calls == 2
    assert execution.spend.total_tokens is None
    assert execution.spend.cost_usd is None


@given(st.lists(st.sampled_from("abcd"), max_size=12))
def test_no_answer_is_booked_twice_whatever_is_repeated(names: list[str]) -> None:
    execution = started()
    for name in names:
        execution.record_call(answered(name)[0], at=NOW)
    assert execution.spend.calls == len(execution.collect()) == len(set(names))


def test_a_call_that_was_refused_may_be_made_again_and_is_booked_each_time() -> None:
    execution = started()
    execution.record_call(refused("one")[0], at=NOW)
    execution.record_call(refused("one")[0], at=NOW)
    assert key("one") in execution.refusals
    execution.record_call(answered("one")[0], at=NOW)
    assert key("one") not in execution.refusals
    assert key("one") in execution.answers
    assert execution.spend.calls == 3


def test_a_failure_is_kept_with_its_reason() -> None:
    execution = started()
    execution.fail(BROKEN, duration_ms=3, at=NOW)
    assert execution.failure == BROKEN


def test_replays_are_numbered_and_have_one_verdict_each() -> None:
    execution = started()
    execution.complete(ref("out"), duration_ms=1, at=NOW)
    execution.collect()
    assert execution.request_replay(at=NOW) == 1
    assert execution.request_replay(at=NOW) == 2
    assert events(execution) == [ReplayRequested(replay=1), ReplayRequested(replay=2)]
    execution.verify_replay(1, answered_from_log=4, duration_ms=2, at=NOW)
    execution.diverge_replay(
        2, BROKEN, outputs=None, divergence=None, answered_from_log=1, duration_ms=2, at=NOW
    )
    assert execution.replays == {1: ReplayStatus.VERIFIED, 2: ReplayStatus.DIVERGED}
    execution.collect()
    execution.verify_replay(2, answered_from_log=4, duration_ms=2, at=NOW)
    execution.diverge_replay(
        1, BROKEN, outputs=None, divergence=None, answered_from_log=1, duration_ms=2, at=NOW
    )
    assert events(execution) == []


def test_a_replay_that_nobody_requested_has_no_verdict() -> None:
    execution = started()
    execution.fail(BROKEN, duration_ms=1, at=NOW)
    with pytest.raises(ReplayNotFound, match="has no replay 1"):
        execution.verify_replay(1, answered_from_log=0, duration_ms=1, at=NOW)


def test_replaying_the_history_gives_the_live_state() -> None:
    execution = requested()
    live = Execution(execution.id)
    history: list[ExecutionEvent] = []
    execution = Execution.request(
        live.id, program_id=uuid4(), program_version=1, inputs=ref("in"), at=NOW
    )
    execution.start("w", at=NOW)
    execution.record_call(answered("one")[0], at=NOW)
    execution.complete(ref("out"), duration_ms=1, at=NOW)
    execution.request_replay(at=NOW)
    history = events(execution)
    again = Execution.fold(live.id, history)
    assert vars(again) == vars(execution)
