"""What executions, optimizations and evaluations share: states, attempts, calls booked once."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, TypeVar
from uuid import UUID

from domain.errors import ConflictError
from domain.kernel import Aggregate, Event
from domain.values import Digest, Failure, LmCall, LmSpend, PayloadRef, ToolCall

E = TypeVar("E", bound=Event)

MAX_ATTEMPTS = 3
"""How often a run is taken up before it is given up."""

_UNANSWERED = Failure(code="model.unanswered", message="The model call was never answered.")


class RunStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended; it then stays as it ended."""
        return self not in (RunStatus.PENDING, RunStatus.RUNNING)


Transitions = Mapping[tuple[RunStatus, str], RunStatus]
"""Every legal action in every state, and the state it leads to."""


class ActionForbidden(ConflictError):
    """The state of the run forbids the action; ``allowed`` are those it permits."""

    code: ClassVar[str] = "run.action_forbidden"

    def __init__(
        self, kind: str, id: UUID, *, status: RunStatus, action: str, allowed: tuple[str, ...]
    ) -> None:
        permitted = f"Allowed now: {', '.join(allowed)}." if allowed else "Nothing is allowed now."
        super().__init__(f"This {kind} is {status}, which forbids {action}. {permitted}")
        self.kind, self.id, self.status, self.action, self.allowed = (
            kind,
            id,
            status,
            action,
            allowed,
        )


class AttemptIsFenced(ConflictError):
    """A worker acts for an attempt that no longer holds the run; its results are refused."""

    code: ClassVar[str] = "run.attempt_fenced"

    def __init__(
        self, kind: str, id: UUID, *, attempt: int, status: RunStatus, held_by: int
    ) -> None:
        super().__init__(
            f"Attempt {attempt} no longer holds this {kind}: it is {status} at attempt {held_by}. "
            "Drop the attempt's results."
        )
        self.kind, self.id, self.attempt, self.status, self.held_by = (
            kind,
            id,
            attempt,
            status,
            held_by,
        )


class Run(Aggregate[E]):
    """A long piece of work that a worker takes up, repeats after a kill, and ends exactly once."""

    FORBIDDEN: ClassVar[type[ActionForbidden]] = ActionForbidden
    TRANSITIONS: ClassVar[Transitions]

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.status = RunStatus.PENDING
        self.attempt = 0
        self.attempts_in_vain = 0
        self.answers: dict[Digest, PayloadRef] = {}
        self.refusals: dict[Digest, Failure] = {}
        self.spend = LmSpend()

    @property
    def allowed_actions(self) -> tuple[str, ...]:
        """What may be done in the present state, in the order of the table."""
        return tuple(action for status, action in self.TRANSITIONS if status is self.status)

    @property
    def is_last_attempt(self) -> bool:
        """Whether another start gives the run up.

        An attempt that got a new answer got somewhere: only attempts in vain count, so a long run
        outlives any number of restarts and one that kills its worker at once does not.
        """
        return self.attempts_in_vain >= MAX_ATTEMPTS

    def is_held_by(self, attempt: int) -> bool:
        """Whether *attempt* may write: the run goes on, and no later attempt took it over."""
        return self.status is RunStatus.RUNNING and self.attempt == attempt

    def ensure_held_by(self, attempt: int) -> None:
        """Refuse what a worker brings unless its *attempt* still holds the run.

        Raises:
            AttemptIsFenced: The run ended, or a later attempt took it over.
        """
        if not self.is_held_by(attempt):
            raise AttemptIsFenced(
                self.KIND, self.id, attempt=attempt, status=self.status, held_by=self.attempt
            )

    @abstractmethod
    def record_call(self, call: LmCall, *, at: datetime) -> None:
        """Book *call*, unless its answer is on record."""

    @abstractmethod
    def record_tool_call(self, call: ToolCall, *, at: datetime) -> None:
        """Book *call*, unless its result is on record."""

    def is_booked(self, call: LmCall | ToolCall) -> bool:
        """Whether the answer to this very call is on record.

        A refused call may be made again under the same key, and each time is booked.
        """
        return call.key in self.answers

    def _require(self, action: str) -> None:
        if (self.status, action) not in self.TRANSITIONS:
            raise self.FORBIDDEN(
                self.KIND, self.id, status=self.status, action=action, allowed=self.allowed_actions
            )

    def _worker_lost(self) -> Failure:
        return Failure(
            code=f"{self.KIND}.worker_lost",
            message=(
                f"{self.attempt} attempts ended without a result: the worker was lost each time. "
                f"Look at the workers, then request a new {self.KIND}."
            ),
            retryable=True,
        )

    def _taken(self, attempt: int) -> None:
        self.status = RunStatus.RUNNING
        self.attempt = attempt
        self.attempts_in_vain += 1

    def _called(self, call: LmCall) -> None:
        self.spend = self.spend.plus(call)
        if call.response is not None:
            self.attempts_in_vain = 0
            self.answers[call.key] = call.response
            self.refusals.pop(call.key, None)
        else:
            self.refusals[call.key] = call.failure or _UNANSWERED

    def _tool_called(self, call: ToolCall) -> None:
        self.attempts_in_vain = 0
        self.answers[call.key] = call.result
