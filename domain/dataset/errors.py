"""What a dataset refuses."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from domain.errors import Fault, InvalidError, NotFoundError


class RowsAreMalformed(InvalidError):
    """Some rows cannot be taken, so none was; the faults name the first hundred of them."""

    code: ClassVar[str] = "dataset.rows_malformed"

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("These rows cannot be loaded; nothing was stored.", faults)


class FieldsDiffer(InvalidError):
    code: ClassVar[str] = "dataset.fields_differ"

    def __init__(
        self, *, known: tuple[str, ...], given: tuple[str, ...], pointer: str = "/rows"
    ) -> None:
        message = (
            f"Every row of this dataset has the fields {', '.join(known)}; "
            f"these have {', '.join(given)}. Send rows with its fields, or create another dataset."
        )
        super().__init__(message, [Fault(pointer, self.code, message)])
        self.known, self.given = known, given


class RowNotFound(NotFoundError):
    code: ClassVar[str] = "dataset.row_not_found"

    def __init__(self, dataset_id: UUID, row: str) -> None:
        super().__init__(
            f"This dataset has no row {row}. List its rows: one may have been removed."
        )
        self.dataset_id, self.row = dataset_id, row
