"""Everything that can happen to one run of a program, in the order of its life."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from domain.kernel import Event
from domain.values import Failure, LmCall, LmSpend, PayloadRef, ToolCall


class ExecutionRequested(Event):
    TOPIC: ClassVar[str] = "execution.requested"

    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
    inputs: PayloadRef


class ExecutionStarted(Event):
    """A worker took it; a higher *attempt* fences off every earlier one."""

    TOPIC: ClassVar[str] = "execution.started"

    attempt: Annotated[int, Field(ge=1)]
    worker: str


class ExecutionLmCalled(Event):
    TOPIC: ClassVar[str] = "execution.lm_called"

    call: LmCall


class ExecutionToolCalled(Event):
    TOPIC: ClassVar[str] = "execution.tool_called"

    call: ToolCall


class ExecutionCompleted(Event):
    TOPIC: ClassVar[str] = "execution.completed"

    outputs: PayloadRef
    duration_ms: Annotated[float, Field(ge=0)]
    spend: LmSpend


class ExecutionFailed(Event):
    TOPIC: ClassVar[str] = "execution.failed"

    failure: Failure
    duration_ms: Annotated[float, Field(ge=0)] | None
    spend: LmSpend


class ExecutionCancelled(Event):
    TOPIC: ClassVar[str] = "execution.cancelled"

    reason: str


class ReplayRequested(Event):
    TOPIC: ClassVar[str] = "execution.replay_requested"

    replay: Annotated[int, Field(ge=1)]


class ReplayVerified(Event):
    """The run was repeated from the log alone: no model call, and the same outputs."""

    TOPIC: ClassVar[str] = "execution.replay_verified"

    replay: Annotated[int, Field(ge=1)]
    answered_from_log: Annotated[int, Field(ge=0)]
    duration_ms: Annotated[float, Field(ge=0)]


class ReplayDiverged(Event):
    """Repeating the run from the log gave something else; ``failure`` names the difference."""

    TOPIC: ClassVar[str] = "execution.replay_diverged"

    replay: Annotated[int, Field(ge=1)]
    answered_from_log: Annotated[int, Field(ge=0)]
    duration_ms: Annotated[float, Field(ge=0)]
    failure: Failure
    outputs: PayloadRef | None


ExecutionEvent = (
    ExecutionRequested
    | ExecutionStarted
    | ExecutionLmCalled
    | ExecutionToolCalled
    | ExecutionCompleted
    | ExecutionFailed
    | ExecutionCancelled
    | ReplayRequested
    | ReplayVerified
    | ReplayDiverged
)
