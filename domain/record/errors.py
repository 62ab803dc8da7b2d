"""What records refuse, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError


class InvalidRecord(InvalidError):
    """What a record is to hold cannot be kept as one; ``faults`` say why."""

    code: ClassVar[str] = "record.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This cannot be a record: {faults[0].message}", faults)


class CallHasNotFailed(ConflictError):
    code: ClassVar[str] = "record.call_not_failed"

    def __init__(self, record_id: UUID, execution_id: UUID) -> None:
        super().__init__(
            f"Record {record_id} has no call {execution_id} that failed and was not repeated. "
            "Read it again to see its calls."
        )
        self.record_id, self.execution_id = record_id, execution_id


class RecordIsDeleted(ConflictError):
    code: ClassVar[str] = "record.deleted"

    def __init__(self, record_id: UUID) -> None:
        super().__init__(
            f"Record {record_id} is deleted and changes no more. Create another one instead."
        )
        self.record_id = record_id
