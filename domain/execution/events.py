"""Everything that can happen to one run of a program, in the order of its life."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.execution.values import Caller, Charge, Divergence, Hold
from domain.kernel import Event
from domain.routing import Routing
from domain.values import (
    AS_DSPY,
    Cache,
    Failure,
    LmCall,
    LmSpend,
    ModelRef,
    PayloadRef,
    Reading,
    ToolCall,
    Usd,
)


class ExecutionRequested(Event):
    TOPIC: ClassVar[str] = "execution.requested"
    VERSION: ClassVar[int] = 7

    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
    inputs: PayloadRef
    caller: Caller | None = None
    deadline: AwareDatetime | None = None
    """It has ended by then, whatever became of it."""
    caches: tuple[Cache, ...] = ()
    """What may answer in place of the model."""
    model: ModelRef | None = None
    """What answers: ``provider/model``, or ``route:NAME``; without one the model of the workers."""
    streamed: bool = False
    """What models say is told to whoever follows it, while they say it."""
    varies: UUID | None = None
    """The execution that is run another way: calls that are the same have its answers."""


class ExecutionCreditHeld(Event):
    """Money was set aside for it, before anything is called."""

    TOPIC: ClassVar[str] = "execution.credit_held"

    holds: Annotated[tuple[Hold, ...], Field(min_length=1)]


class ExecutionCreditSettled(Event):
    """What was held is free again, less what the run is charged; it ends with the next event.

    ``cost_usd`` is what its calls cost, ``None`` if that is not known of one of them.
    """

    TOPIC: ClassVar[str] = "execution.credit_settled"

    charges: Annotated[tuple[Charge, ...], Field(min_length=1)]
    cost_usd: Usd | None


class ExecutionStarted(Event):
    """A worker took it; a higher *attempt* fences off every earlier one."""

    TOPIC: ClassVar[str] = "execution.started"
    VERSION: ClassVar[int] = 2

    attempt: Annotated[int, Field(ge=1)]
    worker: str
    reading: Reading = AS_DSPY
    """A replay of this attempt reads answers as it did."""


class ExecutionRouted(Event):
    """A model of its route answers it, in every attempt; nothing was called before."""

    TOPIC: ClassVar[str] = "execution.routed"

    routing: Routing


class ExecutionWarned(Event):
    """Something may make its answer another one than expected; it goes on all the same."""

    TOPIC: ClassVar[str] = "execution.warned"

    code: str
    message: str


class ExecutionLmCalled(Event):
    TOPIC: ClassVar[str] = "execution.lm_called"
    VERSION: ClassVar[int] = 2

    call: LmCall


class ExecutionToolCalled(Event):
    TOPIC: ClassVar[str] = "execution.tool_called"
    VERSION: ClassVar[int] = 2

    call: ToolCall


class ExecutionCompleted(Event):
    TOPIC: ClassVar[str] = "execution.completed"
    VERSION: ClassVar[int] = 4

    outputs: PayloadRef
    duration_ms: Annotated[float, Field(ge=0)]
    spend: LmSpend
    caller: Caller | None = None
    filled_by: UUID | None = None
    """The equal execution whose outputs these are, if they came from the cache."""


class ExecutionFailed(Event):
    TOPIC: ClassVar[str] = "execution.failed"
    VERSION: ClassVar[int] = 3

    failure: Failure
    duration_ms: Annotated[float, Field(ge=0)] | None
    spend: LmSpend
    caller: Caller | None = None


class ExecutionCancelled(Event):
    TOPIC: ClassVar[str] = "execution.cancelled"
    VERSION: ClassVar[int] = 3

    reason: str
    caller: Caller | None = None


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
    VERSION: ClassVar[int] = 2

    replay: Annotated[int, Field(ge=1)]
    answered_from_log: Annotated[int, Field(ge=0)]
    duration_ms: Annotated[float, Field(ge=0)]
    failure: Failure
    outputs: PayloadRef | None
    divergence: Divergence | None = None
    """Where it left the log, if it asked for something that is not there."""


ExecutionEvent = (
    ExecutionRequested
    | ExecutionStarted
    | ExecutionRouted
    | ExecutionWarned
    | ExecutionCreditHeld
    | ExecutionCreditSettled
    | ExecutionLmCalled
    | ExecutionToolCalled
    | ExecutionCompleted
    | ExecutionFailed
    | ExecutionCancelled
    | ReplayRequested
    | ReplayVerified
    | ReplayDiverged
)
