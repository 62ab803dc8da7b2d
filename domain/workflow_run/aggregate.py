"""A run of a workflow, which is its own process manager: its events say what is done and what not.

Whoever carries it on asks for the next step, says that it begins, and how it went. Nothing of it is
kept elsewhere, so a crash at any moment leaves a run that goes on.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.values import Failure, PayloadRef
from domain.workflow.values import Action, Step, WorkflowSpec
from domain.workflow_run.errors import WorkflowRunForbids
from domain.workflow_run.events import (
    WorkflowRunCancelled,
    WorkflowRunCompleted,
    WorkflowRunEvent,
    WorkflowRunFailed,
    WorkflowRunStarted,
    WorkflowRunUndone,
    WorkflowStepCompleted,
    WorkflowStepFailed,
    WorkflowStepSkipped,
    WorkflowStepStarted,
    WorkflowStepUndone,
    WorkflowUndoFailed,
    WorkflowUndoRequested,
    WorkflowUndoStarted,
    calls_for_a_move,
)
from domain.workflow_run.values import MAX_LOST, WorkflowRunStatus, backoff

_LOST = Failure(
    code="workflow.worker_lost",
    message=f"{MAX_LOST} workers in a row were lost with this step. Look at the workers.",
)

_ENDS: Final[Mapping[type[WorkflowRunEvent], WorkflowRunStatus]] = {
    WorkflowRunCompleted: WorkflowRunStatus.COMPLETED,
    WorkflowRunUndone: WorkflowRunStatus.UNDONE,
    WorkflowRunFailed: WorkflowRunStatus.FAILED,
}


class WorkflowRun(Aggregate[WorkflowRunEvent]):
    """running → completed, or → undoing → undone or failed.

    ``turn`` is the version of the last event that calls for a move: work for an earlier turn is
    old news. ``done`` has the steps in the order in which they were done.
    """

    KIND: ClassVar[str] = "workflow_run"

    workflow_id: UUID
    workflow_version: int
    inputs: PayloadRef

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.status = WorkflowRunStatus.RUNNING
        self.turn = 0
        self.done: dict[str, PayloadRef] = {}
        self.skipped: set[str] = set()
        self.undone: set[str] = set()
        self.not_undone: dict[str, Failure] = {}
        self.under_way: str | None = None
        self.attempts: dict[str, int] = {}
        self.failures = self.lost = 0
        self.undo_failures: dict[str, int] = {}
        self.retry_at: datetime | None = None

    @classmethod
    def start(
        cls,
        id: UUID,
        *,
        workflow_id: UUID,
        workflow_version: int,
        inputs: PayloadRef,
        at: datetime,
    ) -> Self:
        """Begin a run; workers take up its steps."""
        event = WorkflowRunStarted(
            workflow_id=workflow_id, workflow_version=workflow_version, inputs=inputs
        )
        return cls.begin(id, event, at=at)

    def next_step(self, spec: WorkflowSpec) -> Step | None:
        """The step that is to be done, or undone, now; without one the run can end."""
        if self.status is WorkflowRunStatus.RUNNING or self._is_doing:
            left = (it for it in spec.steps if it.name not in self.done.keys() | self.skipped)
            return next(left, None)
        settled = self.undone | self.not_undone.keys()
        steps = {step.name: step for step in spec.steps}
        backwards = (steps[name] for name in reversed(self.done))
        return next((it for it in backwards if it.undo and it.name not in settled), None)

    def action_on(self, step: Step) -> Action:
        """What is to be carried out for *step*, the one that is next."""
        if self.is_done(step):
            assert step.undo is not None
            return step.undo
        return step.do

    def is_done(self, step: Step) -> bool:
        """Whether *step* was done: if it is next, it is to be undone."""
        return step.name in self.done

    def failures_of(self, step: Step) -> int:
        """How often what is to be carried out for *step* failed, over all requests to undo it."""
        return self.undo_failures.get(step.name, 0) if self.is_done(step) else self.failures

    def waits(self, now: datetime) -> timedelta:
        """How long nothing is to be done yet."""
        return timedelta(0) if self.retry_at is None else max(self.retry_at - now, timedelta(0))

    def begin_step(
        self, step: Step, inputs: PayloadRef, worker: str, *, at: datetime
    ) -> int | None:
        """Take *step* up, which fences off every earlier attempt; the number of this attempt.

        One that was lost with its worker too often fails instead: then there is none.
        """
        attempt = self.attempts.get(step.name, 0) + 1
        if self.lost >= MAX_LOST:
            self._fail(step, attempt - 1, _LOST, at=at)
            return None
        kind = WorkflowUndoStarted if self.is_done(step) else WorkflowStepStarted
        self.record(kind(step=step.name, attempt=attempt, inputs=inputs, worker=worker), at=at)
        return attempt

    def skip(self, step: Step, *, at: datetime) -> None:
        """Leave *step* out: its condition does not hold."""
        self.record(WorkflowStepSkipped(step=step.name), at=at)

    def complete_step(self, step: Step, attempt: int, outputs: PayloadRef, *, at: datetime) -> None:
        """Note that *step* is done, or undone. What comes too late changes nothing."""
        if not self._is_held_by(step, attempt):
            return
        if self.is_done(step):
            self.record(WorkflowStepUndone(step=step.name, attempt=attempt), at=at)
        else:
            event = WorkflowStepCompleted(step=step.name, attempt=attempt, outputs=outputs)
            self.record(event, at=at)

    def fail_step(self, step: Step, attempt: int, failure: Failure, *, at: datetime) -> None:
        """Note that *step* failed, to be tried again or not. What comes late changes nothing."""
        if self._is_held_by(step, attempt):
            self._fail(step, attempt, failure, at=at)

    def cancel(self, reason: str, *, at: datetime) -> None:
        """Call the run off: what was done is undone. A second time changes nothing.

        Raises:
            WorkflowRunForbids: It has ended.
        """
        if self.status.is_terminal:
            raise WorkflowRunForbids(self.id, self.status, "cancel", "running")
        if self.status is WorkflowRunStatus.RUNNING:
            self.record(WorkflowRunCancelled(reason=reason, during=self.under_way), at=at)

    def undo_again(self, *, at: datetime) -> None:
        """Try once more to undo what could not be undone.

        Raises:
            WorkflowRunForbids: Nothing is left to be undone.
        """
        if self.status is not WorkflowRunStatus.FAILED:
            raise WorkflowRunForbids(self.id, self.status, "undo", "failed")
        self.record(WorkflowUndoRequested(), at=at)

    def end(self, *, at: datetime) -> None:
        """Close the run: nothing is left to be done."""
        if self.status is WorkflowRunStatus.RUNNING:
            self.record(WorkflowRunCompleted(), at=at)
        elif self.not_undone:
            self.record(WorkflowRunFailed(not_undone=tuple(self.not_undone)), at=at)
        else:
            self.record(WorkflowRunUndone(), at=at)

    @property
    def _is_doing(self) -> bool:
        return self.under_way is not None and self.under_way not in self.done

    def _is_held_by(self, step: Step, attempt: int) -> bool:
        return self.under_way == step.name and self.attempts[step.name] == attempt

    def _fail(self, step: Step, attempt: int, failure: Failure, *, at: datetime) -> None:
        action, failures = self.action_on(step), self.failures + 1
        is_wanted = self.status is WorkflowRunStatus.RUNNING or self.is_done(step)
        again = is_wanted and failure.retryable and failures <= action.retries
        retry_at = at + backoff(action, failures) if again else None
        kind = WorkflowUndoFailed if self.is_done(step) else WorkflowStepFailed
        event = kind(step=step.name, attempt=attempt, failure=failure, retry_at=retry_at)
        self.record(event, at=at)

    def evolve(self, event: WorkflowRunEvent) -> None:
        if calls_for_a_move(event):
            self.turn = self.version + 1
        match event:
            case WorkflowRunStarted():
                self.workflow_id, self.workflow_version = event.workflow_id, event.workflow_version
                self.inputs = event.inputs
            case WorkflowStepStarted() | WorkflowUndoStarted():
                self.under_way, self.attempts[event.step] = event.step, event.attempt
                self.lost += 1
            case WorkflowStepSkipped() | WorkflowStepCompleted() | WorkflowStepUndone():
                self._settled(event)
            case WorkflowStepFailed() | WorkflowUndoFailed():
                self._failed(event)
            case WorkflowRunCancelled(during=during):
                self.status = WorkflowRunStatus.UNDOING
                if during is None:
                    self._begin_anew()
            case WorkflowUndoRequested():
                self.status, self.not_undone = WorkflowRunStatus.UNDOING, {}
            case WorkflowRunCompleted() | WorkflowRunUndone() | WorkflowRunFailed():
                self.status = _ENDS[type(event)]
            case _:
                assert_never(event)

    def _settled(
        self, event: WorkflowStepSkipped | WorkflowStepCompleted | WorkflowStepUndone
    ) -> None:
        self._begin_anew()
        if isinstance(event, WorkflowStepCompleted):
            self.done[event.step] = event.outputs
        else:
            settled = self.skipped if isinstance(event, WorkflowStepSkipped) else self.undone
            settled.add(event.step)

    def _failed(self, event: WorkflowStepFailed | WorkflowUndoFailed) -> None:
        failures = self.failures + 1
        self._begin_anew()
        if isinstance(event, WorkflowUndoFailed):
            self.undo_failures[event.step] = self.undo_failures.get(event.step, 0) + 1
        if event.retry_at is not None:
            self.retry_at, self.failures = event.retry_at, failures
        elif isinstance(event, WorkflowUndoFailed):
            self.not_undone[event.step] = event.failure
        else:
            self.status = WorkflowRunStatus.UNDOING

    def _begin_anew(self) -> None:
        self.under_way = self.retry_at = None
        self.failures = self.lost = 0
