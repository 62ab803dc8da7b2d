"""Everything that can happen to a dataset, in the order of its life."""

from typing import Annotated, ClassVar

from pydantic import Field

from domain.dataset.values import Purpose, Split
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


DatasetEvent = DatasetCreated | DatasetRowsLoaded
