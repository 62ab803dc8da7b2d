"""Everything that can happen to a dataset, in the order of its life."""

from typing import Annotated, ClassVar

from pydantic import Field

from domain.dataset.values import Purpose, RowId, Split
from domain.kernel import Event
from domain.values import PayloadRef


class DatasetCreated(Event):
    TOPIC: ClassVar[str] = "dataset.created"

    name: str
    purpose: Purpose
    description: str | None = None


class DatasetRowsLoaded(Event):
    """Rows were appended. ``chunks`` are payloads, each a JSON array of row objects, in order."""

    TOPIC: ClassVar[str] = "dataset.rows_loaded"

    split: Split
    chunks: tuple[PayloadRef, ...]
    count: Annotated[int, Field(ge=1)]
    fields: tuple[str, ...]


class DatasetRowReplaced(Event):
    """``row`` has another content from now on, at its old place. ``content`` is one row object."""

    TOPIC: ClassVar[str] = "dataset.row_replaced"

    row: RowId
    split: Split
    content: PayloadRef
    reason: str


class DatasetRowRemoved(Event):
    """``row`` is no part of the dataset from now on; its id is never given again."""

    TOPIC: ClassVar[str] = "dataset.row_removed"

    row: RowId
    split: Split
    reason: str


DatasetEvent = DatasetCreated | DatasetRowsLoaded | DatasetRowReplaced | DatasetRowRemoved
