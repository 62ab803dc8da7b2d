"""One optimizer run: attempts with their pins, trials, result."""

from uuid import uuid4

import pytest

from domain.optimization.aggregate import Optimization
from domain.optimization.events import (
    OptimizationCompleted,
    OptimizationEvent,
    OptimizationFailed,
    OptimizationRequested,
    OptimizationStarted,
    TrialScored,
)
from domain.run import RunStatus
from tests.support.memory import NOW
from tests.support.runs import answered, ref, refused

PINS = {"python": "3.11.7", "dspy": "3.4.1", "seed": "9"}
WISH = OptimizationRequested(
    program_id=uuid4(),
    program_version=1,
    optimizer="mipro",
    config={},
    dataset_id=uuid4(),
    dataset_rows=20,
    metric="f1_score",
    seed=9,
)


def started() -> Optimization:
    optimization = Optimization.request(uuid4(), WISH, at=NOW)
    optimization.start("w", PINS, at=NOW)
    optimization.collect()
    return optimization


def events(optimization: Optimization) -> list[OptimizationEvent]:
    return [pending.event for pending in optimization.collect()]


def test_a_resumed_attempt_needs_the_same_pins() -> None:
    optimization = started()
    optimization.start("w2", dict(PINS), at=NOW)
    assert events(optimization) == [OptimizationStarted(attempt=2, worker="w2", pins=PINS)]


def test_a_resumed_attempt_with_other_pins_fails_and_names_them() -> None:
    optimization = started()
    optimization.start("w", {"python": "3.11.7", "dspy": "3.5.0", "optuna": "5"}, at=NOW)
    (failed,) = events(optimization)
    assert isinstance(failed, OptimizationFailed)
    assert failed.failure.code == "optimization.pins_changed"
    assert "dspy (3.4.1 → 3.5.0), optuna (absent → 5), seed (9 → absent)" in failed.failure.message
    assert "python" not in failed.failure.message


@pytest.mark.feature("OPT-05")
def test_opt_05_a_run_keeps_its_trials_its_best_state_and_its_score() -> None:
    optimization = started()
    optimization.score_trial(1, 0.25, ref("a"), at=NOW)
    optimization.score_trial(2, 0.75, ref("b"), at=NOW)
    optimization.complete(ref("b"), training_score=0.75, duration_ms=5, at=NOW)
    assert events(optimization) == [
        TrialScored(trial=1, score=0.25, candidate=ref("a")),
        TrialScored(trial=2, score=0.75, candidate=ref("b")),
        OptimizationCompleted(
            state=ref("b"), training_score=0.75, trials=2, duration_ms=5, spend=optimization.spend
        ),
    ]
    assert optimization.result is not None
    assert optimization.result.state == ref("b")


def test_a_resumed_run_repeats_its_trials_in_vain() -> None:
    optimization = started()
    optimization.score_trial(1, 0.25, ref("a"), at=NOW)
    optimization.collect()
    optimization.score_trial(1, 0.25, ref("a"), at=NOW)
    assert events(optimization) == []


def test_a_run_that_gets_on_outlives_any_number_of_restarts() -> None:
    optimization = started()
    for number in range(10):
        optimization.record_call(answered(f"call {number}")[0], at=NOW)
        optimization.start("w", PINS, at=NOW)
    assert optimization.status is RunStatus.RUNNING
    assert optimization.attempt == 11


def test_a_run_that_gets_nowhere_fails_after_three_attempts() -> None:
    optimization = started()
    for number in range(2):
        optimization.record_call(refused(f"call {number}")[0], at=NOW)
        optimization.start("w", PINS, at=NOW)
    assert optimization.is_last_attempt
    optimization.start("w", PINS, at=NOW)
    assert optimization.status is RunStatus.FAILED
    assert optimization.failure is not None
    assert optimization.failure.code == "optimization.worker_lost"


def test_replaying_the_history_gives_the_live_state() -> None:
    optimization = Optimization.request(uuid4(), WISH, at=NOW)
    optimization.start("w", PINS, at=NOW)
    optimization.record_call(answered("one")[0], at=NOW)
    optimization.record_call(answered("one")[0], at=NOW)
    optimization.score_trial(1, 1.0, ref("a"), at=NOW)
    optimization.cancel("enough", at=NOW)
    again = Optimization.fold(optimization.id, events(optimization))
    assert vars(again) == vars(optimization)
