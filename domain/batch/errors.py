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


class BatchRowsAreMalformed(InvalidError):
    """Some rows cannot be run, so nothing was stored; the faults name the first hundred."""

    code: ClassVar[str] = "batch.rows_malformed"

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("These rows cannot be run; nothing was stored.", faults)


class BatchIsTooLarge(InvalidError):
    code: ClassVar[str] = "batch.too_large"

    def __init__(self) -> None:
        message = f"A batch has {MAX_ROWS} rows at most. Split the file and send several."
        super().__init__(message, [Fault("", self.code, message)])
