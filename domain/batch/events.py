"""Everything that can happen to a batch. What becomes of its rows is told by their executions."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from domain.batch.values import Concurrency, Estimate, RowNumber
from domain.kernel import Event
from domain.values import Cache, Failure, ModelRef, PayloadRef


class BatchRequested(Event):
    """``chunks`` are payloads, each a JSON array of ``rows_a_chunk`` inputs, but for the last.

    The rows run on behalf of ``requested_by``, whoever has the batch carried on later. With
    ``varies`` they are those of recorded executions, which are run another way: it is a JSON array
    of their ids, in the order of the rows. Then nothing runs before somebody saw what that costs.
    """

    TOPIC: ClassVar[str] = "batch.requested"
    VERSION: ClassVar[int] = 2

    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
    chunks: Annotated[tuple[PayloadRef, ...], Field(min_length=1)]
    rows_a_chunk: Annotated[int, Field(ge=1)]
    count: RowNumber
    concurrency: Concurrency
    deadline_s: Annotated[float, Field(gt=0)] | None
    requested_by: str
    model: ModelRef | None = None
    """What answers each row; without one it is chosen as each row is asked for."""
    caches: tuple[Cache, ...] | None = None
    """What may answer in place of the model; without a word, what the program says."""
    fail_fast: bool = False
    """With the first row that fails no more begin."""
    varies: PayloadRef | None = None


class BatchEstimated(Event):
    """It is known what the rows would cost, and nothing runs until somebody resumes the batch."""

    TOPIC: ClassVar[str] = "batch.estimated"

    estimate: Estimate


class BatchPaused(Event):
    """A row could not be asked for, so no more are until somebody resumes the batch."""

    TOPIC: ClassVar[str] = "batch.paused"

    failure: Failure


class BatchResumed(Event):
    TOPIC: ClassVar[str] = "batch.resumed"


class BatchCancelled(Event):
    """No more rows begin; those under way end by themselves."""

    TOPIC: ClassVar[str] = "batch.cancelled"

    reason: str


class BatchCompleted(Event):
    """Every row has ended, in one way or another."""

    TOPIC: ClassVar[str] = "batch.completed"


BatchEvent = (
    BatchRequested | BatchEstimated | BatchPaused | BatchResumed | BatchCancelled | BatchCompleted
)
