"""An optimization: one optimizer run over one program version, which is also its own process."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.optimization.errors import (
    NothingIsProposed,
    OptimizationForbids,
    ProposalIsDecided,
)
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationCancelled,
    OptimizationCompleted,
    OptimizationEvent,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRejected,
    OptimizationRequested,
    OptimizationStarted,
    OptimizationToolCalled,
    TrialScored,
)
from domain.optimization.values import (
    TRANSITIONS,
    Adoption,
    HeldOut,
    OptimizationAction,
    ProposalStatus,
)
from domain.run import ActionForbidden, Run, RunStatus, Transitions
from domain.values import Failure, LmCall, PayloadRef, ToolCall


class Optimization(Run[OptimizationEvent]):
    """pending → running → completed, failed or cancelled; resumed by running it again."""

    KIND: ClassVar[str] = "optimization"
    FORBIDDEN: ClassVar[type[ActionForbidden]] = OptimizationForbids
    TRANSITIONS: ClassVar[Transitions] = TRANSITIONS

    wish: OptimizationRequested
    """What was asked for: program version, optimizer, config, dataset, metric, seed."""

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.pins: dict[str, str] = {}
        self.trials: dict[int, float] = {}
        self.result: OptimizationCompleted | None = None
        self.failure: Failure | None = None
        self.proposal: ProposalStatus | None = None
        """``None`` while there is no result, and where it becomes a version by itself."""

    @property
    def may_become_a_version(self) -> bool:
        """Whether it has a result that nobody has to approve, or somebody approved."""
        return self.result is not None and self.proposal in (None, ProposalStatus.APPROVED)

    @classmethod
    def request(cls, id: UUID, wish: OptimizationRequested, *, at: datetime) -> Self:
        """Wish for a better version; a worker takes it up later."""
        return cls.begin(id, wish, at=at)

    def start(self, worker: str, pins: dict[str, str], *, at: datetime) -> None:
        """Take the run up, which fences off every earlier attempt; or give it up.

        It fails with ``optimization.pins_changed`` when *pins* are not those of the attempts before
        (the journal would no longer answer the same run), and with ``optimization.worker_lost``
        when the attempts get nowhere.
        """
        self._require(OptimizationAction.START)
        if self.attempt and pins != self.pins:
            self._fail(_pins_changed(self.pins, pins), at=at)
        elif self.is_last_attempt:
            self._fail(self._worker_lost(), at=at)
        else:
            event = OptimizationStarted(attempt=self.attempt + 1, worker=worker, pins=pins)
            self.record(event, at=at)

    def record_call(self, call: LmCall, *, at: datetime) -> None:
        """Book *call*, unless its answer is on record."""
        self._require(OptimizationAction.RECORD_CALL)
        if not self.is_booked(call):  # the same answer twice is one call
            self.record(OptimizationLmCalled(call=call), at=at)

    def record_tool_call(self, call: ToolCall, *, at: datetime) -> None:
        """Book *call*, unless its result is on record."""
        self._require(OptimizationAction.RECORD_CALL)
        if not self.is_booked(call):  # another attempt may bring the same result
            self.record(OptimizationToolCalled(call=call), at=at)

    def score_trial(self, trial: int, score: float, candidate: PayloadRef, *, at: datetime) -> None:
        self._require(OptimizationAction.SCORE_TRIAL)
        if trial not in self.trials:  # a resumed run repeats the trials before
            self.record(TrialScored(trial=trial, score=score, candidate=candidate), at=at)

    def complete(
        self,
        state: PayloadRef,
        *,
        training_score: float | None,
        duration_ms: float,
        heldout: HeldOut | None = None,
        at: datetime,
    ) -> None:
        self._require(OptimizationAction.COMPLETE)
        event = OptimizationCompleted(
            state=state,
            training_score=training_score,
            trials=len(self.trials),
            duration_ms=duration_ms,
            spend=self.spend,
            heldout=heldout,
        )
        self.record(event, at=at)

    def approve(self, reason: str, *, at: datetime) -> None:
        """Let its result become a version. A second time changes nothing.

        Raises:
            NothingIsProposed: Nobody has to approve it.
            ProposalIsDecided: It was rejected.
        """
        if self._is_to_be(ProposalStatus.APPROVED):
            self.record(OptimizationApproved(reason=reason), at=at)

    def reject(self, reason: str, *, at: datetime) -> None:
        """Let no version come of its result. A second time changes nothing.

        Raises:
            NothingIsProposed: Nobody has to approve it.
            ProposalIsDecided: It was approved.
        """
        if self._is_to_be(ProposalStatus.REJECTED):
            self.record(OptimizationRejected(reason=reason), at=at)

    def _is_to_be(self, decision: ProposalStatus) -> bool:
        """Whether *decision* is still to be recorded."""
        if self.proposal is None:
            raise NothingIsProposed(self.id, self.status)
        if self.proposal not in (ProposalStatus.OPEN, decision):
            raise ProposalIsDecided(self.id, self.proposal)
        return self.proposal is ProposalStatus.OPEN

    def fail(self, failure: Failure, *, at: datetime) -> None:
        self._require(OptimizationAction.FAIL)
        self._fail(failure, at=at)

    def cancel(self, reason: str, *, at: datetime) -> None:
        self._require(OptimizationAction.CANCEL)
        self.record(OptimizationCancelled(reason=reason), at=at)

    def _fail(self, failure: Failure, *, at: datetime) -> None:
        self.record(OptimizationFailed(failure=failure, spend=self.spend), at=at)

    def evolve(self, event: OptimizationEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case OptimizationRequested():
                self.wish = event
            case OptimizationApproved():
                self.proposal = ProposalStatus.APPROVED
            case OptimizationRejected():
                self.proposal = ProposalStatus.REJECTED
            case OptimizationCompleted() | OptimizationFailed() | OptimizationCancelled():
                self._ended(event)
            case OptimizationStarted(attempt=attempt, pins=pins):
                self._taken(attempt)
                self.pins = pins
            case OptimizationLmCalled(call=call):
                self._called(call)
            case OptimizationToolCalled(call=call):
                self._tool_called(call)
            case TrialScored(trial=trial, score=score):
                self.trials[trial] = score
            case _:
                assert_never(event)

    def _ended(
        self, event: OptimizationCompleted | OptimizationFailed | OptimizationCancelled
    ) -> None:
        match event:
            case OptimizationCompleted():
                self.status, self.result = RunStatus.COMPLETED, event
                if self.wish.adopt is Adoption.APPROVAL:
                    self.proposal = ProposalStatus.OPEN
            case OptimizationFailed(failure=failure):
                self.status, self.failure = RunStatus.FAILED, failure
            case OptimizationCancelled():
                self.status = RunStatus.CANCELLED
            case _:
                assert_never(event)


def _pins_changed(before: dict[str, str], now: dict[str, str]) -> Failure:
    changes = ", ".join(
        f"{name} ({before.get(name, 'absent')} → {now.get(name, 'absent')})"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )
    return Failure(
        code="optimization.pins_changed",
        message=(
            f"The run cannot be resumed, because these changed since it began: {changes}. "
            "Request a new optimization."
        ),
    )
