"""Everything that can happen to one scoring of a program version, in the order of its life."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from domain.dataset.values import Split
from domain.kernel import Event
from domain.values import Failure, LmCall, LmSpend, PayloadRef, Score, ToolCall


class EvaluationRequested(Event):
    """``dataset_rows`` is how many rows the part had at ``dataset_version``: these are scored.

    Without a version they are the first ones as they were loaded, for then rows never changed.
    """

    TOPIC: ClassVar[str] = "evaluation.requested"
    VERSION: ClassVar[int] = 2

    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
    dataset_id: UUID
    split: Split
    dataset_rows: Annotated[int, Field(ge=1)]
    metric: str
    dataset_version: Annotated[int, Field(ge=1)] | None = None


class EvaluationStarted(Event):
    TOPIC: ClassVar[str] = "evaluation.started"

    attempt: Annotated[int, Field(ge=1)]
    worker: str


class EvaluationLmCalled(Event):
    TOPIC: ClassVar[str] = "evaluation.lm_called"
    VERSION: ClassVar[int] = 2

    call: LmCall


class EvaluationToolCalled(Event):
    TOPIC: ClassVar[str] = "evaluation.tool_called"
    VERSION: ClassVar[int] = 2

    call: ToolCall


class EvaluationCompleted(Event):
    """``score`` is the mean over all rows, a failed one counting 0; ``rows`` holds each row's."""

    TOPIC: ClassVar[str] = "evaluation.completed"

    score: Score
    rows: PayloadRef
    rows_total: Annotated[int, Field(ge=1)]
    rows_failed: Annotated[int, Field(ge=0)]
    duration_ms: Annotated[float, Field(ge=0)]
    spend: LmSpend


class EvaluationFailed(Event):
    TOPIC: ClassVar[str] = "evaluation.failed"

    failure: Failure
    spend: LmSpend


class EvaluationCancelled(Event):
    TOPIC: ClassVar[str] = "evaluation.cancelled"

    reason: str


EvaluationEvent = (
    EvaluationRequested
    | EvaluationStarted
    | EvaluationLmCalled
    | EvaluationToolCalled
    | EvaluationCompleted
    | EvaluationFailed
    | EvaluationCancelled
)
