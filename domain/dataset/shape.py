"""Rows of a dataset all have the same fields: those of its first row."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from pydantic import JsonValue

from domain.dataset.errors import RowsAreMalformed
from domain.errors import Fault

MAX_FAULTS: Final = 100
"""How many faults are named at once."""

METADATA: Final = "_"
"""A field whose name begins so is about its row: no program is given it, no metric looks at it."""

Row = Mapping[str, JsonValue]


def common_fields(rows: Sequence[Row]) -> tuple[str, ...]:
    """The fields that all *rows* have, in the order of the first.

    Raises:
        RowsAreMalformed: There is no row, or no field, or some rows have other fields.
    """
    fields = tuple(rows[0]) if rows else ()
    faults = (
        [Fault("/rows", "dataset.rows_missing", "Send at least one row with at least one field.")]
        if not fields
        else list(islice(_faults(rows, fields), MAX_FAULTS))
    )
    if faults:
        raise RowsAreMalformed(faults)
    return fields


def other_fields(row: Row, fields: Iterable[str]) -> str | None:
    """In words, how *row* departs from *fields*; ``None`` when it has exactly these."""
    known, given = set(fields), set(row)
    if given == known:
        return None
    lacks, adds = sorted(known - given), sorted(given - known)
    parts = [
        *([f"lacks {', '.join(lacks)}"] if lacks else []),
        *([f"adds {', '.join(adds)}"] if adds else []),
    ]
    return f"{' and '.join(parts)}. Every row needs the fields of the first row"


def _faults(rows: Sequence[Row], fields: tuple[str, ...]) -> Iterable[Fault]:
    for index, row in enumerate(rows):
        if departure := other_fields(row, fields):
            message = f"Row {index + 1} {departure}."
            yield Fault(f"/rows/{index}", "dataset.row_fields", message)
