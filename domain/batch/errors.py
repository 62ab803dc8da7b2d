"""What a batch refuses."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from domain.batch.values import MAX_ROWS, BatchStatus
from domain.errors import ConflictError, Fault, InvalidError


class BatchHasEnded(ConflictError):
    code: ClassVar[str] = "batch.ended"

    def __init__(self, batch_id: UUID, status: BatchStatus) -> None:
        super().__init__(
            f"This batch is {status}: nothing more can be done to it. Request another one for "
            "rows that are to run again."
        )
        self.batch_id, self.status = batch_id, status


class BatchIsNotEstimated(ConflictError):
    code: ClassVar[str] = "batch.not_estimated"

    def __init__(self, batch_id: UUID) -> None:
        super().__init__(
            "It is not known yet what this would cost. Look at it again in a moment, and resume it "
            "once it has its estimate."
        )
        self.batch_id = batch_id


class BatchVariesNothing(ConflictError):
    code: ClassVar[str] = "batch.varies_nothing"

    def __init__(self, batch_id: UUID) -> None:
        super().__init__(
            "The rows of this batch were sent, so there is nothing to compare them with. Ask for "
            "its results instead."
        )
        self.batch_id = batch_id


class BatchRowsAreMalformed(InvalidError):
    """Some rows cannot be run, so nothing was stored; the faults name the first hundred."""

    code: ClassVar[str] = "batch.rows_malformed"

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("These rows cannot be run; nothing was stored.", faults)


class RecordedInputsDoNotFit(InvalidError):
    """What executions took is not what a version takes; the faults name the first hundred."""

    code: ClassVar[str] = "batch.recorded_inputs_do_not_fit"

    def __init__(self, version: int, faults: Iterable[Fault]) -> None:
        super().__init__(
            f"Some inputs on record do not fit version {version}; nothing was stored. Narrow the "
            "executions down to those of a version that takes the same.",
            faults,
        )


class BatchIsTooLarge(InvalidError):
    code: ClassVar[str] = "batch.too_large"

    def __init__(self) -> None:
        message = f"A batch has {MAX_ROWS} rows at most. Split the file and send several."
        super().__init__(message, [Fault("", self.code, message)])
