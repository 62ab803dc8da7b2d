"""Everything that can happen to one optimizer run, in the order of its life."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, JsonValue

from domain.kernel import Event
from domain.values import Failure, LmCall, LmSpend, PayloadRef, Score, ToolCall


class OptimizationRequested(Event):
    """``config`` are the optimizer's own parameters, complete; ``seed`` pins its choices.

    ``dataset_rows`` is how many train rows there were: it learns from these and no later ones.
    """

    TOPIC: ClassVar[str] = "optimization.requested"

    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
    optimizer: str
    config: dict[str, JsonValue]
    dataset_id: UUID
    dataset_rows: Annotated[int, Field(ge=1)]
    metric: str
    seed: int


class OptimizationStarted(Event):
    """A worker took it; ``pins`` are the versions and seeds a resumed attempt must repeat."""

    TOPIC: ClassVar[str] = "optimization.started"

    attempt: Annotated[int, Field(ge=1)]
    worker: str
    pins: dict[str, str]


class OptimizationLmCalled(Event):
    TOPIC: ClassVar[str] = "optimization.lm_called"

    call: LmCall


class OptimizationToolCalled(Event):
    TOPIC: ClassVar[str] = "optimization.tool_called"

    call: ToolCall


class TrialScored(Event):
    """One candidate program was scored on the train part; ``candidate`` is its state."""

    TOPIC: ClassVar[str] = "optimization.trial_scored"

    trial: Annotated[int, Field(ge=1)]
    score: Score
    candidate: PayloadRef


class OptimizationCompleted(Event):
    TOPIC: ClassVar[str] = "optimization.completed"

    state: PayloadRef
    training_score: Score | None
    trials: Annotated[int, Field(ge=0)]
    duration_ms: Annotated[float, Field(ge=0)]
    spend: LmSpend


class OptimizationFailed(Event):
    TOPIC: ClassVar[str] = "optimization.failed"

    failure: Failure
    spend: LmSpend


class OptimizationCancelled(Event):
    TOPIC: ClassVar[str] = "optimization.cancelled"

    reason: str


OptimizationEvent = (
    OptimizationRequested
    | OptimizationStarted
    | OptimizationLmCalled
    | OptimizationToolCalled
    | TrialScored
    | OptimizationCompleted
    | OptimizationFailed
    | OptimizationCancelled
)
