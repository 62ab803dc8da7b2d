"""An execution: one run of a program version on one set of inputs, with all its model calls."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final, Self, assert_never
from uuid import UUID

from domain.execution.errors import ExecutionForbids, ReplayNotFound
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionCreditHeld,
    ExecutionCreditSettled,
    ExecutionEvent,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionRouted,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.execution.values import (
    TIMED_OUT,
    TRANSITIONS,
    Caller,
    Charge,
    Divergence,
    ExecutionAction,
    Hold,
    ReplayStatus,
)
from domain.routing import Routing, named_route
from domain.run import MAX_ATTEMPTS, ActionForbidden, Run, RunStatus, Transitions
from domain.values import AS_DSPY, Cache, Failure, LmCall, PayloadRef, Reading, ToolCall

_REPLAYS: Final[Mapping[type[ExecutionEvent], ReplayStatus]] = {
    ReplayRequested: ReplayStatus.PENDING,
    ReplayVerified: ReplayStatus.VERIFIED,
    ReplayDiverged: ReplayStatus.DIVERGED,
}


class Execution(Run[ExecutionEvent]):
    """pending → running → completed, failed or cancelled; then replays of what happened."""

    KIND: ClassVar[str] = "execution"
    FORBIDDEN: ClassVar[type[ActionForbidden]] = ExecutionForbids
    TRANSITIONS: ClassVar[Transitions] = TRANSITIONS

    program_id: UUID
    program_version: int
    inputs: PayloadRef

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.caller: Caller | None = None
        self.outputs: PayloadRef | None = None
        self.filled_by: UUID | None = None
        self.failure: Failure | None = None
        self.reading = AS_DSPY
        self.calls: list[LmCall | ToolCall] = []
        self.replays: dict[int, ReplayStatus] = {}
        self.deadline: datetime | None = None
        self.caches: tuple[Cache, ...] = ()
        self.asked_model: str | None = None
        self.routing: Routing | None = None
        self.streamed = False
        self.varies: UUID | None = None
        self.warnings: list[ExecutionWarned] = []
        self.holds: tuple[Hold, ...] = ()

    @classmethod
    def request(
        cls,
        id: UUID,
        *,
        program_id: UUID,
        program_version: int,
        inputs: PayloadRef,
        deadline: datetime | None = None,
        caller: Caller | None = None,
        holds: Sequence[Hold] = (),
        caches: Sequence[Cache] = (),
        model: str | None = None,
        streamed: bool = False,
        varies: UUID | None = None,
        at: datetime,
    ) -> Self:
        """Wish for a run that ends by its *deadline*; a worker takes it up later.

        Its end is told to *caller*, if it has one, and what it *holds* is settled with its end.
        *caches* may answer in place of the model, and so may the record of what it *varies*; if it
        is *streamed*, it can be followed closely.
        """
        event = ExecutionRequested(
            program_id=program_id,
            program_version=program_version,
            inputs=inputs,
            deadline=deadline,
            caller=caller,
            caches=tuple(caches),
            model=model,
            streamed=streamed,
            varies=varies,
        )
        execution = cls.begin(id, event, at=at)
        if holds:
            execution.record(ExecutionCreditHeld(holds=tuple(holds)), at=at)
        return execution

    @property
    def is_last_attempt(self) -> bool:
        """Whether another start gives the execution up: it is short, so every attempt counts."""
        return self.attempt >= MAX_ATTEMPTS

    @property
    def was_cut_off(self) -> bool:
        """Whether it was ended from outside: its log ends where it was then, not where it fails."""
        return self.failure is not None and self.failure.code in (
            TIMED_OUT.code,
            self._worker_lost().code,
        )

    @property
    def model(self) -> str | None:
        """What answers, as ``provider/model``; ``None`` is the model of the workers."""
        return self.asked_model if self.routing is None else self.routing.choice.model

    @property
    def fallback(self) -> str | None:
        """What answers where that fails."""
        return None if self.routing is None else self.routing.choice.fallback

    @property
    def awaits_routing(self) -> bool:
        """Whether a model of the route that it names is still to be chosen."""
        return self.routing is None and named_route(self.asked_model) is not None

    def is_overdue(self, at: datetime) -> bool:
        """Whether its deadline has passed and it has not ended."""
        return not self.status.is_terminal and self.deadline is not None and self.deadline <= at

    def left_s(self, at: datetime) -> float | None:
        """Seconds until its deadline; ``None`` if it has none."""
        return None if self.deadline is None else (self.deadline - at).total_seconds()

    def start(self, worker: str, *, reading: Reading = AS_DSPY, at: datetime) -> None:
        """Take the execution up, which fences off every earlier attempt; or give it up.

        Answers of the model will be read by *reading*.

        After the last attempt it fails with ``execution.worker_lost`` instead, and after its
        deadline with ``execution.timed_out``.
        """
        self._require(ExecutionAction.START)
        if self.is_overdue(at):
            self.time_out(at=at)
        elif self.is_last_attempt:
            self._fail(self._worker_lost(), duration_ms=None, at=at)
        else:
            event = ExecutionStarted(attempt=self.attempt + 1, worker=worker, reading=reading)
            self.record(event, at=at)

    def route(self, routing: Routing, *, at: datetime) -> None:
        """Have the model that was chosen answer this attempt and every later one."""
        self._require(ExecutionAction.RECORD_CALL)
        self.record(ExecutionRouted(routing=routing), at=at)

    def warn(self, code: str, message: str, *, at: datetime) -> None:
        """Note what may make its answer another one. The same warning again changes nothing."""
        self._require(ExecutionAction.RECORD_CALL)
        event = ExecutionWarned(code=code, message=message)
        if event not in self.warnings:  # another attempt finds the same
            self.record(event, at=at)

    def record_call(self, call: LmCall, *, at: datetime) -> None:
        """Book *call*, unless its answer is on record."""
        self._require(ExecutionAction.RECORD_CALL)
        if not self.is_booked(call):  # the same answer twice is one call
            self.record(ExecutionLmCalled(call=call), at=at)

    def record_tool_call(self, call: ToolCall, *, at: datetime) -> None:
        """Book *call*, unless its result is on record."""
        self._require(ExecutionAction.RECORD_CALL)
        if not self.is_booked(call):  # another attempt may bring the same result
            self.record(ExecutionToolCalled(call=call), at=at)

    def complete(
        self,
        outputs: PayloadRef,
        *,
        duration_ms: float,
        filled_by: UUID | None = None,
        at: datetime,
    ) -> None:
        """End it with *outputs*, which are those of *filled_by* if they came from the cache."""
        self._require(ExecutionAction.COMPLETE)
        self._settle(is_paid=True, at=at)
        event = ExecutionCompleted(
            outputs=outputs,
            duration_ms=duration_ms,
            spend=self.spend,
            caller=self.caller,
            filled_by=filled_by,
        )
        self.record(event, at=at)

    def fail(self, failure: Failure, *, duration_ms: float | None, at: datetime) -> None:
        self._require(ExecutionAction.FAIL)
        self._fail(failure, duration_ms=duration_ms, at=at)

    def time_out(self, *, at: datetime) -> None:
        """End it if its deadline has passed, wherever it is; whoever has it is fenced off.

        Before the deadline, and once it has ended, this changes nothing.
        """
        if self.is_overdue(at):
            self._fail(TIMED_OUT, duration_ms=None, at=at)

    def cancel(self, reason: str, *, at: datetime) -> None:
        self._require(ExecutionAction.CANCEL)
        self._settle(is_paid=False, at=at)
        self.record(ExecutionCancelled(reason=reason, caller=self.caller), at=at)

    def request_replay(self, *, at: datetime) -> int:
        """Wish for a repetition from the log alone; returns its number."""
        self._require(ExecutionAction.REQUEST_REPLAY)
        replay = len(self.replays) + 1
        self.record(ReplayRequested(replay=replay), at=at)
        return replay

    def replay_status(self, replay: int) -> ReplayStatus:
        """What became of replay number *replay*.

        Raises:
            ReplayNotFound: Nobody requested it.
        """
        if replay not in self.replays:
            raise ReplayNotFound(self.id, replay)
        return self.replays[replay]

    def verify_replay(
        self, replay: int, *, answered_from_log: int, duration_ms: float, at: datetime
    ) -> None:
        """Note that replay number *replay* came to the same end."""
        self._require(ExecutionAction.VERIFY_REPLAY)
        if self._is_open(replay):
            event = ReplayVerified(
                replay=replay, answered_from_log=answered_from_log, duration_ms=duration_ms
            )
            self.record(event, at=at)

    def diverge_replay(
        self,
        replay: int,
        difference: Failure,
        *,
        outputs: PayloadRef | None,
        divergence: Divergence | None,
        answered_from_log: int,
        duration_ms: float,
        at: datetime,
    ) -> None:
        """Note that replay number *replay* came to another end, to which, and from where."""
        self._require(ExecutionAction.DIVERGE_REPLAY)
        if self._is_open(replay):
            event = ReplayDiverged(
                replay=replay,
                answered_from_log=answered_from_log,
                duration_ms=duration_ms,
                failure=difference,
                outputs=outputs,
                divergence=divergence,
            )
            self.record(event, at=at)

    def _fail(self, failure: Failure, *, duration_ms: float | None, at: datetime) -> None:
        self._settle(is_paid=False, at=at)
        event = ExecutionFailed(
            failure=failure, duration_ms=duration_ms, spend=self.spend, caller=self.caller
        )
        self.record(event, at=at)

    def _settle(self, *, is_paid: bool, at: datetime) -> None:
        """Let go of what is held, less what its calls cost.

        Where nobody knows what they cost, a run that *is_paid* costs what was held for it, and
        another one nothing.
        """
        if not self.holds:
            return
        cost_usd = self.spend.cost_usd
        charges = tuple(
            Charge(
                budget_id=hold.budget_id,
                held_usd=hold.usd,
                charged_usd=cost_usd if cost_usd is not None else hold.usd * is_paid,
            )
            for hold in self.holds
        )
        self.record(ExecutionCreditSettled(charges=charges, cost_usd=cost_usd), at=at)

    def _is_open(self, replay: int) -> bool:
        """Whether the replay waits for its verdict; a redelivered one repeats it in vain."""
        return self.replay_status(replay) is ReplayStatus.PENDING

    def evolve(self, event: ExecutionEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case ExecutionRequested():
                self.program_id = event.program_id
                self.program_version = event.program_version
                self.inputs, self.deadline = event.inputs, event.deadline
                self.caller, self.caches = event.caller, event.caches
                self.asked_model, self.streamed = event.model, event.streamed
                self.varies = event.varies
            case ExecutionStarted(attempt=attempt, reading=reading):
                self._taken(attempt)
                self.reading = reading
            case ExecutionRouted(routing=routing):
                self.routing = routing
            case ExecutionWarned():
                self.warnings.append(event)
            case ExecutionCreditHeld() | ExecutionCreditSettled():
                self.holds = event.holds if isinstance(event, ExecutionCreditHeld) else ()
            case ExecutionLmCalled(call=call):
                self.calls.append(call)
                self._called(call)
            case ExecutionToolCalled(call=call):
                self.calls.append(call)
                self._tool_called(call)
            case ExecutionCompleted() | ExecutionFailed() | ExecutionCancelled():
                self._ended(event)
            case (
                ReplayRequested(replay=replay)
                | ReplayVerified(replay=replay)
                | ReplayDiverged(replay=replay)
            ):
                self.replays[replay] = _REPLAYS[type(event)]
            case _:
                assert_never(event)

    def _ended(self, event: ExecutionCompleted | ExecutionFailed | ExecutionCancelled) -> None:
        match event:
            case ExecutionCompleted(outputs=outputs, filled_by=filled_by):
                self.status, self.outputs = RunStatus.COMPLETED, outputs
                self.filled_by = filled_by
            case ExecutionFailed(failure=failure):
                self.status, self.failure = RunStatus.FAILED, failure
            case ExecutionCancelled():
                self.status = RunStatus.CANCELLED
            case _:
                assert_never(event)
