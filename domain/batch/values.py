"""How far a batch is, how large one may be, and the name of the run of each of its rows."""

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID, uuid5

from pydantic import Field

from domain.kernel import ValueObject
from domain.values import Usd

MAX_ROWS: Final = 10_000
"""How many rows one batch may have."""

MAX_AT_ONCE: Final = 64
USUAL_AT_ONCE: Final = 4
"""How many rows of a batch are under way at a time, if nobody says otherwise."""

Concurrency = Annotated[int, Field(ge=1, le=MAX_AT_ONCE)]
RowNumber = Annotated[int, Field(ge=1, le=MAX_ROWS)]
"""The place of a row among those that were sent, from 1."""


class BatchStatus(StrEnum):
    ESTIMATING = "estimating"
    ESTIMATED = "estimated"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether no more rows will begin."""
        return self in (BatchStatus.COMPLETED, BatchStatus.CANCELLED)


class Estimate(ValueObject):
    """What it would take to run recorded executions another way; to know it nothing was spent.

    ``reused`` calls would have their answers from the record, ``paid`` ones from the model;
    ``unchanged`` executions have none of those. Behind the first call of an execution that is not
    on record nothing is known: so many are counted as were left of its recorded ones then, with
    the tokens that those took. ``cost_usd`` leaves ``unpriced`` calls out, as nobody knows what
    they would cost; it is ``None`` where that is all of them.
    """

    executions: Annotated[int, Field(ge=1)]
    unchanged: Annotated[int, Field(ge=0)]
    reused: Annotated[int, Field(ge=0)]
    paid: Annotated[int, Field(ge=0)]
    unpriced: Annotated[int, Field(ge=0)]
    cost_usd: Usd | None


def run_of(batch_id: UUID, row: int) -> UUID:
    """The id of the one execution that a row can have: asked for twice, it is the same one."""
    return uuid5(batch_id, str(row))
