"""Everything that can happen to one optimizer run, in the order of its life."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, JsonValue

from domain.kernel import Event
from domain.optimization.values import Adoption, HeldOut
from domain.values import Failure, LmCall, LmSpend, PayloadRef, Score, ToolCall


class OptimizationRequested(Event):
    """``config`` are the optimizer's own parameters, complete; ``seed`` pins its choices.

    ``dataset_rows`` is how many train rows there were at ``dataset_version``: it learns from these.
    Without a version they are the first ones as they were loaded, for then rows never changed.
    ``adopt`` says whether what is found becomes a version by itself.
    """

    TOPIC: ClassVar[str] = "optimization.requested"
    VERSION: ClassVar[int] = 2

    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
    optimizer: str
    config: dict[str, JsonValue]
    dataset_id: UUID
    dataset_rows: Annotated[int, Field(ge=1)]
    metric: str
    seed: int
    dataset_version: Annotated[int, Field(ge=1)] | None = None
    adopt: Adoption = Adoption.AUTO


class OptimizationStarted(Event):
    """A worker took it; ``pins`` are the versions and seeds a resumed attempt must repeat."""

    TOPIC: ClassVar[str] = "optimization.started"

    attempt: Annotated[int, Field(ge=1)]
    worker: str
    pins: dict[str, str]


class OptimizationLmCalled(Event):
    TOPIC: ClassVar[str] = "optimization.lm_called"
    VERSION: ClassVar[int] = 2

    call: LmCall


class OptimizationToolCalled(Event):
    TOPIC: ClassVar[str] = "optimization.tool_called"
    VERSION: ClassVar[int] = 2

    call: ToolCall


class TrialScored(Event):
    """One candidate program was scored on the train part; ``candidate`` is its state."""

    TOPIC: ClassVar[str] = "optimization.trial_scored"

    trial: Annotated[int, Field(ge=1)]
    score: Score
    candidate: PayloadRef


class OptimizationCompleted(Event):
    """It found ``state``, which becomes a version, or waits for approval if that was wished.

    ``heldout`` is what whoever decides is shown; a dataset without held-out rows gives none.
    """

    TOPIC: ClassVar[str] = "optimization.completed"
    VERSION: ClassVar[int] = 2

    state: PayloadRef
    training_score: Score | None
    trials: Annotated[int, Field(ge=0)]
    duration_ms: Annotated[float, Field(ge=0)]
    spend: LmSpend
    heldout: HeldOut | None = None


class OptimizationFailed(Event):
    TOPIC: ClassVar[str] = "optimization.failed"

    failure: Failure
    spend: LmSpend


class OptimizationCancelled(Event):
    TOPIC: ClassVar[str] = "optimization.cancelled"

    reason: str


class OptimizationApproved(Event):
    """What it found may become a version."""

    TOPIC: ClassVar[str] = "optimization.approved"

    reason: str


class OptimizationRejected(Event):
    """What it found stays what it is: no version comes of it."""

    TOPIC: ClassVar[str] = "optimization.rejected"

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
    | OptimizationApproved
    | OptimizationRejected
)
