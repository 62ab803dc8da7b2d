"""An evaluation: one scoring of a program version on one part of a dataset."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.evaluation.errors import EvaluationForbids
from domain.evaluation.events import (
    EvaluationCancelled,
    EvaluationCompleted,
    EvaluationEvent,
    EvaluationFailed,
    EvaluationLmCalled,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationToolCalled,
)
from domain.evaluation.values import TRANSITIONS, EvaluationAction
from domain.run import ActionForbidden, Run, RunStatus, Transitions
from domain.values import Failure, LmCall, PayloadRef, ToolCall


class Evaluation(Run[EvaluationEvent]):
    """pending → running → completed, failed or cancelled; resumed by running it again."""

    KIND: ClassVar[str] = "evaluation"
    FORBIDDEN: ClassVar[type[ActionForbidden]] = EvaluationForbids
    TRANSITIONS: ClassVar[Transitions] = TRANSITIONS

    wish: EvaluationRequested
    """What was asked for: program version, dataset part, how many of its rows, metric."""

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.result: EvaluationCompleted | None = None
        self.failure: Failure | None = None

    @classmethod
    def request(cls, id: UUID, wish: EvaluationRequested, *, at: datetime) -> Self:
        """Wish for a score; a worker takes it up later."""
        return cls.begin(id, wish, at=at)

    def start(self, worker: str, *, at: datetime) -> None:
        """Take the run up, which fences off every earlier attempt; or give it up.

        It fails with ``evaluation.worker_lost`` when the attempts get nowhere.
        """
        self._require(EvaluationAction.START)
        if self.is_last_attempt:
            self._fail(self._worker_lost(), at=at)
        else:
            self.record(EvaluationStarted(attempt=self.attempt + 1, worker=worker), at=at)

    def record_call(self, call: LmCall, *, at: datetime) -> None:
        """Book *call*, unless its answer is on record."""
        self._require(EvaluationAction.RECORD_CALL)
        if not self.is_booked(call):  # the same answer twice is one call
            self.record(EvaluationLmCalled(call=call), at=at)

    def record_tool_call(self, call: ToolCall, *, at: datetime) -> None:
        """Book *call*, unless its result is on record."""
        self._require(EvaluationAction.RECORD_CALL)
        if not self.is_booked(call):  # another attempt may bring the same result
            self.record(EvaluationToolCalled(call=call), at=at)

    def complete(
        self,
        rows: PayloadRef,
        *,
        score: float,
        rows_total: int,
        rows_failed: int,
        duration_ms: float,
        at: datetime,
    ) -> None:
        self._require(EvaluationAction.COMPLETE)
        event = EvaluationCompleted(
            score=score,
            rows=rows,
            rows_total=rows_total,
            rows_failed=rows_failed,
            duration_ms=duration_ms,
            spend=self.spend,
        )
        self.record(event, at=at)

    def fail(self, failure: Failure, *, at: datetime) -> None:
        self._require(EvaluationAction.FAIL)
        self._fail(failure, at=at)

    def cancel(self, reason: str, *, at: datetime) -> None:
        self._require(EvaluationAction.CANCEL)
        self.record(EvaluationCancelled(reason=reason), at=at)

    def _fail(self, failure: Failure, *, at: datetime) -> None:
        self.record(EvaluationFailed(failure=failure, spend=self.spend), at=at)

    def evolve(self, event: EvaluationEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case EvaluationRequested():
                self.wish = event
            case EvaluationStarted(attempt=attempt):
                self._taken(attempt)
            case EvaluationLmCalled(call=call):
                self._called(call)
            case EvaluationToolCalled(call=call):
                self._tool_called(call)
            case EvaluationCompleted():
                self.status, self.result = RunStatus.COMPLETED, event
            case EvaluationFailed(failure=failure):
                self.status, self.failure = RunStatus.FAILED, failure
            case EvaluationCancelled():
                self.status = RunStatus.CANCELLED
            case _:
                assert_never(event)
