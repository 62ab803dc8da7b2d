"""A run of a workflow: done in order, undone in the opposite order, tried again, called off."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.kernel import Event
from domain.workflow.values import WorkflowSpec
from domain.workflow_run.aggregate import WorkflowRun
from domain.workflow_run.errors import WorkflowRunForbids
from domain.workflow_run.events import (
    WorkflowRunCancelled,
    WorkflowRunCompleted,
    WorkflowRunEvent,
    WorkflowRunFailed,
    WorkflowRunUndone,
    WorkflowStepFailed,
    WorkflowStepSkipped,
    WorkflowStepUndone,
    WorkflowUndoFailed,
    WorkflowUndoRequested,
)
from domain.workflow_run.values import LONGEST_BACKOFF, WorkflowRunStatus, backoff
from tests.support.histories import ref
from tests.support.scenario import ID, NOW, Scenario, told
from tests.support.workflows import (
    BROKEN,
    HOPELESS,
    STARTED,
    begun,
    calling,
    completed,
    done,
    failed,
    three,
    undoing,
    undone,
)

FIRST, SECOND, THIRD = three().steps
AGAIN = three(retries=2)


@pytest.fixture
def run() -> Iterator[Scenario[WorkflowRun]]:
    yield from told(WorkflowRun)


def after(*history: Event) -> WorkflowRun:
    return WorkflowRun.fold(ID, [each for each in history if isinstance(each, WorkflowRunEvent)])


def next_of(run: WorkflowRun, spec: WorkflowSpec | None = None) -> tuple[str, str] | None:
    """The step that is next, and the tool that is called for it."""
    step = run.next_step(spec or three())
    if step is None:
        return None
    action = run.action_on(step)
    assert action.kind == "tool"
    return step.name, action.tool.name


def test_a_run_is_started_with_what_it_was_given(run: Scenario[WorkflowRun]) -> None:
    begin = {"workflow_id": STARTED.workflow_id, "workflow_version": 1, "inputs": STARTED.inputs}
    started = run.when_begun(lambda new: WorkflowRun.start(new, **begin, at=NOW)).then(STARTED)  # type: ignore[arg-type]  # as the event has it
    assert (started.status, started.turn) == (WorkflowRunStatus.RUNNING, 1)
    assert next_of(started) == ("first", "book")


def test_steps_are_done_in_their_order_and_the_run_ends(run: Scenario[WorkflowRun]) -> None:
    assert next_of(after(STARTED, *done("first"))) == ("second", "pay")
    whole = (STARTED, *done("first"), WorkflowStepSkipped(step="second"), *done("third"))
    assert next_of(after(*whole)) is None
    run.given(*whole).when(lambda it: it.end(at=NOW)).then(WorkflowRunCompleted())


def test_a_step_is_begun_and_completed_by_the_attempt_that_holds_it(
    run: Scenario[WorkflowRun],
) -> None:
    scenario = run.given(STARTED).when(
        lambda it: it.begin_step(FIRST, ref("for first"), "worker-1", at=NOW)
    )
    held = scenario.then(begun("first"))
    held.complete_step(FIRST, 1, ref("of first"), at=NOW)
    assert [each.event for each in held.collect()] == [completed("first")]


@pytest.mark.parametrize(
    ("history", "attempt"),
    [
        ((STARTED, begun("first"), begun("first", 2)), 1),
        ((STARTED, *done("first")), 1),
        ((STARTED, begun("second")), 1),
    ],
)
def test_what_comes_too_late_changes_nothing(
    run: Scenario[WorkflowRun], history: tuple[Event, ...], attempt: int
) -> None:
    held = (
        run.given(*history)
        .when(lambda it: it.complete_step(FIRST, attempt, ref("x"), at=NOW))
        .then()
    )
    held.fail_step(FIRST, attempt, BROKEN, at=NOW)
    assert held.collect() == ()


@pytest.mark.feature("VIS-31")
def test_vis_31_a_failing_step_3_undoes_2_and_1_in_this_order(run: Scenario[WorkflowRun]) -> None:
    before = (STARTED, *done("first"), *done("second"), begun("third"))
    held = (
        run.given(*before)
        .when(lambda it: it.fail_step(THIRD, 1, BROKEN, at=NOW))
        .then(WorkflowStepFailed(step="third", attempt=1, failure=BROKEN, retry_at=None))
    )
    assert held.status is WorkflowRunStatus.UNDOING
    turned = (*before[:-1], *failed("third"))
    assert next_of(after(*turned)) == ("second", "refund")
    half = (*turned, *undone("second"))
    assert next_of(after(*half)) == ("first", "unbook")
    whole = after(*half, *undone("first"))
    assert next_of(whole) is None
    whole.end(at=NOW)
    assert [each.event for each in whole.collect()] == [WorkflowRunUndone()]


def test_an_undo_is_begun_and_completed_as_one(run: Scenario[WorkflowRun]) -> None:
    turned = (STARTED, *done("first"), *failed("second"))
    held = (
        run.given(*turned)
        .when(lambda it: it.begin_step(FIRST, ref("back first"), "worker-1", at=NOW))
        .then(undoing("first"))
    )
    held.complete_step(FIRST, 2, ref("nothing"), at=NOW)
    assert [each.event for each in held.collect()] == [WorkflowStepUndone(step="first", attempt=2)]


def test_a_step_without_an_undo_is_left_as_it_is() -> None:
    assert next_of(after(STARTED, *done("third"), *failed("second"))) is None


def test_a_failed_step_is_tried_again_later_and_later(run: Scenario[WorkflowRun]) -> None:
    first = AGAIN.steps[0]
    held = (
        run.given(STARTED, begun("first"))
        .when(lambda it: it.fail_step(first, 1, BROKEN, at=NOW))
        .then_accepted()
    )
    assert held.waits(NOW) == timedelta(seconds=10)
    assert held.waits(NOW + timedelta(minutes=1)) == timedelta(0)
    assert next_of(held, AGAIN) == ("first", "book")
    held.begin_step(first, ref("for first"), "worker-1", at=NOW)
    held.fail_step(first, 2, BROKEN, at=NOW)
    assert held.waits(NOW) == timedelta(seconds=20)
    held.begin_step(first, ref("for first"), "worker-1", at=NOW)
    held.fail_step(first, 3, BROKEN, at=NOW)
    assert held.status is WorkflowRunStatus.UNDOING
    assert held.waits(NOW) == timedelta(0)


def test_what_a_second_try_cannot_change_is_not_tried_again(run: Scenario[WorkflowRun]) -> None:
    run.given(STARTED, begun("first")).when(
        lambda it: it.fail_step(AGAIN.steps[0], 1, HOPELESS, at=NOW)
    ).then(WorkflowStepFailed(step="first", attempt=1, failure=HOPELESS, retry_at=None))


def test_no_wait_is_longer_than_an_hour() -> None:
    slow = calling("go").model_copy(update={"backoff_s": 3600})
    assert backoff(slow, 5) == LONGEST_BACKOFF
    assert backoff(slow.model_copy(update={"backoff_s": 0}), 5) == timedelta(0)


def test_a_step_that_is_lost_with_three_workers_has_failed(run: Scenario[WorkflowRun]) -> None:
    lost = (STARTED, begun("first"), begun("first", 2), begun("first", 3))
    held = (
        run.given(*lost)
        .when(lambda it: it.begin_step(FIRST, ref("for first"), "worker-1", at=NOW))
        .then_accepted()
    )
    [event] = [each.event for each in held.collect()]
    assert isinstance(event, WorkflowStepFailed)
    assert (event.failure.code, event.retry_at) == ("workflow.worker_lost", None)


def test_a_run_that_is_called_off_between_steps_is_undone_at_once(
    run: Scenario[WorkflowRun],
) -> None:
    cancelled = WorkflowRunCancelled(reason="Enough.", during=None)
    held = (
        run.given(STARTED, *done("first"), *failed("second", again=True))
        .when(lambda it: it.cancel("Enough.", at=NOW))
        .then(cancelled)
    )
    assert held.turn == held.version
    assert next_of(held) == ("first", "unbook")
    assert held.waits(NOW - timedelta(days=1)) == timedelta(0)


def test_a_step_under_way_ends_before_its_run_is_undone(run: Scenario[WorkflowRun]) -> None:
    before = (STARTED, *done("first"), begun("second"))
    held = (
        run.given(*before)
        .when(lambda it: it.cancel("Enough.", at=NOW))
        .then(WorkflowRunCancelled(reason="Enough.", during="second"))
    )
    assert held.turn == 3, "whoever does the step sees what is next"
    assert next_of(held) == ("second", "pay")
    held.complete_step(SECOND, 1, ref("of second"), at=NOW)
    assert next_of(held) == ("second", "refund")


def test_a_step_under_way_that_fails_then_is_not_tried_again(run: Scenario[WorkflowRun]) -> None:
    cancelled = WorkflowRunCancelled(reason="Enough.", during="first")
    run.given(STARTED, begun("first"), cancelled).when(
        lambda it: it.fail_step(AGAIN.steps[0], 1, BROKEN, at=NOW)
    ).then(WorkflowStepFailed(step="first", attempt=1, failure=BROKEN, retry_at=None))


def test_a_run_is_called_off_once(run: Scenario[WorkflowRun]) -> None:
    run.given(STARTED, *failed("first")).when(lambda it: it.cancel("Enough.", at=NOW)).then()


def test_what_has_ended_is_not_called_off(run: Scenario[WorkflowRun]) -> None:
    error = (
        run.given(STARTED, *done("first"), WorkflowRunCompleted())
        .when(lambda it: it.cancel("Enough.", at=NOW))
        .then_refused(WorkflowRunForbids)
    )
    assert "is completed, which forbids cancel" in str(error)


STUCK = (
    STARTED,
    *done("first"),
    *done("second"),
    *failed("third"),
    undoing("second"),
    WorkflowUndoFailed(step="second", attempt=2, failure=BROKEN, retry_at=None),
)


def test_an_undo_is_tried_again_like_a_step(run: Scenario[WorkflowRun]) -> None:
    held = (
        run.given(*STUCK[:-1])
        .when(lambda it: it.fail_step(AGAIN.steps[1], 2, BROKEN, at=NOW))
        .then(
            WorkflowUndoFailed(
                step="second", attempt=2, failure=BROKEN, retry_at=NOW + timedelta(seconds=10)
            )
        )
    )
    assert next_of(held, AGAIN) == ("second", "refund")


def test_what_cannot_be_undone_keeps_nothing_else_from_it_and_needs_a_person(
    run: Scenario[WorkflowRun],
) -> None:
    assert next_of(after(*STUCK)) == ("first", "unbook")
    held = (
        run.given(*STUCK, *undone("first"))
        .when(lambda it: it.end(at=NOW))
        .then(WorkflowRunFailed(not_undone=("second",)))
    )
    assert held.status.is_terminal


def test_a_person_has_it_tried_once_more(run: Scenario[WorkflowRun]) -> None:
    stuck = (*STUCK, *undone("first"), WorkflowRunFailed(not_undone=("second",)))
    held = run.given(*stuck).when(lambda it: it.undo_again(at=NOW)).then(WorkflowUndoRequested())
    assert next_of(held) == ("second", "refund")
    assert held.turn == held.version


def test_only_what_could_not_be_undone_is_tried_once_more(run: Scenario[WorkflowRun]) -> None:
    run.given(STARTED).when(lambda it: it.undo_again(at=NOW)).then_refused(WorkflowRunForbids)
