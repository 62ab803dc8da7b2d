"""Every state and every action of the three kinds of runs, legal or not."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from domain.dataset.values import Split
from domain.errors import ConflictError
from domain.evaluation.aggregate import Evaluation
from domain.evaluation.errors import EvaluationForbids
from domain.evaluation.events import EvaluationRequested
from domain.evaluation.values import EvaluationAction
from domain.execution.aggregate import Execution
from domain.execution.errors import ExecutionForbids
from domain.execution.values import ExecutionAction
from domain.optimization.aggregate import Optimization
from domain.optimization.errors import OptimizationForbids
from domain.optimization.events import OptimizationRequested
from domain.optimization.values import OptimizationAction
from domain.run import Run, RunStatus
from tests.support.memory import NOW
from tests.support.runs import BROKEN, answered, key, ref, used

Act = Callable[[Any], object]

CALL = answered("one")[0]


def an_execution() -> Execution:
    return Execution.request(
        uuid4(), program_id=uuid4(), program_version=1, inputs=ref("in"), at=NOW
    )


def an_optimization() -> Optimization:
    wish = OptimizationRequested(
        program_id=uuid4(),
        program_version=1,
        optimizer="labeled_fewshot",
        config={"k": 4},
        dataset_id=uuid4(),
        dataset_rows=10,
        metric="exact_match",
        seed=9,
    )
    return Optimization.request(uuid4(), wish, at=NOW)


def an_evaluation() -> Evaluation:
    wish = EvaluationRequested(
        program_id=uuid4(),
        program_version=1,
        dataset_id=uuid4(),
        split=Split.HELDOUT,
        dataset_rows=10,
        metric="exact_match",
    )
    return Evaluation.request(uuid4(), wish, at=NOW)


EXECUTION: Mapping[str, Act] = {
    ExecutionAction.START: lambda it: it.start("w", at=NOW),
    ExecutionAction.RECORD_CALL: lambda it: it.record_call(CALL, at=NOW),
    ExecutionAction.COMPLETE: lambda it: it.complete(ref("out"), duration_ms=1, at=NOW),
    ExecutionAction.FAIL: lambda it: it.fail(BROKEN, duration_ms=1, at=NOW),
    ExecutionAction.CANCEL: lambda it: it.cancel("enough", at=NOW),
    ExecutionAction.REQUEST_REPLAY: lambda it: it.request_replay(at=NOW),
    ExecutionAction.VERIFY_REPLAY: lambda it: it.verify_replay(
        1, answered_from_log=1, duration_ms=1, at=NOW
    ),
    ExecutionAction.DIVERGE_REPLAY: lambda it: it.diverge_replay(
        1, BROKEN, outputs=None, divergence=None, answered_from_log=1, duration_ms=1, at=NOW
    ),
}
OPTIMIZATION: Mapping[str, Act] = {
    OptimizationAction.START: lambda it: it.start("w", {"python": "3.11"}, at=NOW),
    OptimizationAction.RECORD_CALL: lambda it: it.record_call(CALL, at=NOW),
    OptimizationAction.SCORE_TRIAL: lambda it: it.score_trial(1, 0.5, ref("state"), at=NOW),
    OptimizationAction.COMPLETE: lambda it: it.complete(
        ref("state"), training_score=0.5, duration_ms=1, at=NOW
    ),
    OptimizationAction.FAIL: lambda it: it.fail(BROKEN, at=NOW),
    OptimizationAction.CANCEL: lambda it: it.cancel("enough", at=NOW),
}
EVALUATION: Mapping[str, Act] = {
    EvaluationAction.START: lambda it: it.start("w", at=NOW),
    EvaluationAction.RECORD_CALL: lambda it: it.record_call(CALL, at=NOW),
    EvaluationAction.COMPLETE: lambda it: it.complete(
        ref("rows"), score=0.5, rows_total=10, rows_failed=1, duration_ms=1, at=NOW
    ),
    EvaluationAction.FAIL: lambda it: it.fail(BROKEN, at=NOW),
    EvaluationAction.CANCEL: lambda it: it.cancel("enough", at=NOW),
}
KINDS: Mapping[str, tuple[Callable[[], Run[Any]], Mapping[str, Act], type[ConflictError]]] = {
    "execution": (an_execution, EXECUTION, ExecutionForbids),
    "optimization": (an_optimization, OPTIMIZATION, OptimizationForbids),
    "evaluation": (an_evaluation, EVALUATION, EvaluationForbids),
}
WAY = {
    RunStatus.PENDING: [],
    RunStatus.RUNNING: ["start"],
    RunStatus.COMPLETED: ["start", "complete"],
    RunStatus.FAILED: ["start", "fail"],
    RunStatus.CANCELLED: ["cancel"],
}


def a_run(kind: str, status: RunStatus) -> Run[Any]:
    begin, actions, _ = KINDS[kind]
    run = begin()
    for action in WAY[status]:
        actions[action](run)
    if "request_replay" in run.allowed_actions:
        actions["request_replay"](run)
    run.collect()
    return run


MATRIX = [
    (kind, status, action)
    for kind, (_, actions, _) in KINDS.items()
    for status in RunStatus
    for action in actions
]


@pytest.mark.feature("EXE-03")
@pytest.mark.feature("OPT-04")
@pytest.mark.parametrize(("kind", "status", "action"), MATRIX)
def test_exe_03_every_action_in_every_state_is_carried_out_or_refused(
    kind: str, status: RunStatus, action: str
) -> None:
    run, (_, actions, forbids) = a_run(kind, status), KINDS[kind]
    leads_to = run.TRANSITIONS.get((status, action))
    if leads_to is not None:
        actions[action](run)
        assert run.status is leads_to
        assert run.collect()
        return
    with pytest.raises(forbids) as refusal:
        actions[action](run)
    assert run.status is status
    assert not run.collect()
    assert status in str(refusal.value)
    assert action in str(refusal.value)
    for allowed in run.allowed_actions:
        assert allowed in str(refusal.value)
    assert refusal.value.code == f"{kind}.action_forbidden"


@pytest.mark.parametrize("kind", KINDS)
def test_a_tool_call_is_booked_once_and_answers_its_key(kind: str) -> None:
    run, call = a_run(kind, RunStatus.RUNNING), used("one")[0]
    run.attempts_in_vain = 2
    run.record_tool_call(call, at=NOW)
    run.record_tool_call(call, at=NOW)
    (pending,) = run.collect()
    assert f"{kind}.tool_called" == pending.event.TOPIC
    assert run.answers == {key("one"): call.result}
    assert (run.attempts_in_vain, run.spend.calls) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_has_ended_books_no_tool_call(kind: str) -> None:
    run, forbids = a_run(kind, RunStatus.FAILED), KINDS[kind][2]
    with pytest.raises(forbids):
        run.record_tool_call(used("one")[0], at=NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_name_no_action_that_nothing_does(kind: str) -> None:
    run, actions = a_run(kind, RunStatus.PENDING), KINDS[kind][1]
    assert {action for _, action in run.TRANSITIONS} == actions.keys()


@pytest.mark.feature("EXE-04")
@pytest.mark.parametrize("kind", KINDS)
def test_exe_04_a_run_begins_pending_and_says_what_is_allowed(kind: str) -> None:
    run = a_run(kind, RunStatus.PENDING)
    assert run.status is RunStatus.PENDING
    assert not run.status.is_terminal
    assert run.allowed_actions == ("start", "cancel")


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_run_allows_nothing_more(kind: str) -> None:
    run = a_run(kind, RunStatus.CANCELLED)
    assert run.status.is_terminal
    with pytest.raises(ConflictError, match=r"is cancelled, which forbids start\. Nothing is all"):
        KINDS[kind][1]["start"](run)
