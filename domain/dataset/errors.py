"""What a dataset refuses."""

from collections.abc import Iterable
from typing import ClassVar

from domain.errors import Fault, InvalidError


class RowsAreMalformed(InvalidError):
    """Some rows cannot be taken, so none was; the faults name the first hundred of them."""

    code: ClassVar[str] = "dataset.rows_malformed"

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("These rows cannot be loaded; nothing was stored.", faults)


class FieldsDiffer(InvalidError):
    code: ClassVar[str] = "dataset.fields_differ"

    def __init__(self, *, known: tuple[str, ...], given: tuple[str, ...]) -> None:
        message = (
            f"Every row of this dataset has the fields {', '.join(known)}; "
            f"these have {', '.join(given)}. Send rows with its fields, or create another dataset."
        )
        super().__init__(message, [Fault("/rows", self.code, message)])
        self.known, self.given = known, given
