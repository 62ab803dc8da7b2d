"""Who calls an execution, the actions on it, and the table of what each state allows."""

from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, PositiveInt, StringConstraints

from domain.kernel import ValueObject
from domain.run import RunStatus, Transitions
from domain.values import Failure, PayloadRef, Usd

TIMED_OUT: Final = Failure(
    code="execution.timed_out",
    message=(
        "It did not end within the time that it was given. Give it more with deadline_s, or see in "
        "its trace what it waited for."
    ),
)


class Caller(ValueObject):
    """What waits for the end of a run, by the kind and the id of its stream; the end names it.

    Of what asks for many runs, ``place`` says which of them this is.
    """

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
    id: UUID
    place: PositiveInt | None = None

    @property
    def carries_it_out(self) -> bool:
        """Whether it runs what it asked for itself, so that no job stands for it."""
        return self.kind == "workflow_run"


class Hold(ValueObject):
    """What is set aside of a budget for one run; one that is watched tells when little is left."""

    budget_id: UUID
    usd: Usd
    is_watched: bool = False


class Charge(ValueObject):
    """What a budget held for one run, and what it pays for it in the end, more or less."""

    budget_id: UUID
    held_usd: Usd
    charged_usd: Usd


class Divergence(ValueObject):
    """Where a replay left its log: the first call that is not in it, and what is there instead.

    ``asked`` is the request, or the arguments, of the call by ``node``. ``call`` is the number from
    1, among the calls of the execution, of the one that the node made there when it was recorded,
    and ``recorded`` what that one asked; without them the node made no more calls.
    """

    node: str
    asked: PayloadRef
    call: Annotated[int, Field(ge=1)] | None = None
    recorded: PayloadRef | None = None


class ExecutionAction(StrEnum):
    START = "start"
    RECORD_CALL = "record_call"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    REQUEST_REPLAY = "request_replay"
    VERIFY_REPLAY = "verify_replay"
    DIVERGE_REPLAY = "diverge_replay"


class ReplayStatus(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    DIVERGED = "diverged"


TRANSITIONS: Final[Transitions] = MappingProxyType(
    {
        (RunStatus.PENDING, ExecutionAction.START): RunStatus.RUNNING,
        (RunStatus.PENDING, ExecutionAction.CANCEL): RunStatus.CANCELLED,
        (RunStatus.RUNNING, ExecutionAction.START): RunStatus.RUNNING,
        (RunStatus.RUNNING, ExecutionAction.RECORD_CALL): RunStatus.RUNNING,
        (RunStatus.RUNNING, ExecutionAction.COMPLETE): RunStatus.COMPLETED,
        (RunStatus.RUNNING, ExecutionAction.FAIL): RunStatus.FAILED,
        (RunStatus.RUNNING, ExecutionAction.CANCEL): RunStatus.CANCELLED,
        (RunStatus.COMPLETED, ExecutionAction.REQUEST_REPLAY): RunStatus.COMPLETED,
        (RunStatus.COMPLETED, ExecutionAction.VERIFY_REPLAY): RunStatus.COMPLETED,
        (RunStatus.COMPLETED, ExecutionAction.DIVERGE_REPLAY): RunStatus.COMPLETED,
        (RunStatus.FAILED, ExecutionAction.REQUEST_REPLAY): RunStatus.FAILED,
        (RunStatus.FAILED, ExecutionAction.VERIFY_REPLAY): RunStatus.FAILED,
        (RunStatus.FAILED, ExecutionAction.DIVERGE_REPLAY): RunStatus.FAILED,
    }
)
"""A start is legal while running: a redelivery after a kill is the next attempt."""
