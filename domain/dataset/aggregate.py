"""A dataset: labelled rows in two parts, one to learn from and one that only ever judges."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.dataset.errors import FieldsDiffer
from domain.dataset.events import DatasetCreated, DatasetEvent, DatasetRowsLoaded
from domain.dataset.values import Purpose, Split
from domain.kernel import Aggregate
from domain.values import PayloadRef


class Dataset(Aggregate[DatasetEvent]):
    """Rows are only ever appended, so the first *n* rows of a part never change."""

    KIND: ClassVar[str] = "dataset"

    name: str
    purpose: Purpose
    description: str | None

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.fields: tuple[str, ...] = ()
        self.chunks: dict[Split, list[PayloadRef]] = {split: [] for split in Split}
        self.rows: dict[Split, int] = dict.fromkeys(Split, 0)

    @classmethod
    def create(
        cls, id: UUID, *, name: str, purpose: Purpose, description: str | None, at: datetime
    ) -> Self:
        """Begin a dataset without rows."""
        event = DatasetCreated(name=name, purpose=purpose, description=description)
        return cls.begin(id, event, at=at)

    @property
    def size(self) -> int:
        """How many rows both parts have together."""
        return sum(self.rows.values())

    def load(
        self,
        split: Split,
        chunks: tuple[PayloadRef, ...],
        *,
        count: int,
        fields: tuple[str, ...],
        at: datetime,
    ) -> None:
        """Append *count* rows, which lie in *chunks* and all have *fields*.

        Raises:
            FieldsDiffer: The rows that are there have other fields.
        """
        if self.fields and set(fields) != set(self.fields):
            raise FieldsDiffer(known=self.fields, given=fields)
        event = DatasetRowsLoaded(split=split, chunks=chunks, count=count, fields=fields)
        self.record(event, at=at)

    def evolve(self, event: DatasetEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case DatasetCreated():
                self.name = event.name
                self.purpose = event.purpose
                self.description = event.description
            case DatasetRowsLoaded():
                self.fields = self.fields or event.fields
                self.chunks[event.split].extend(event.chunks)
                self.rows[event.split] += event.count
            case _:
                assert_never(event)
