"""A dataset: labelled rows in two parts, one to learn from and one that only ever judges."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, NamedTuple, Self, assert_never
from uuid import UUID

from domain.dataset.errors import FieldsDiffer, RowNotFound
from domain.dataset.events import (
    DatasetCreated,
    DatasetEvent,
    DatasetRowRemoved,
    DatasetRowReplaced,
    DatasetRowsLoaded,
)
from domain.dataset.shape import METADATA
from domain.dataset.values import Purpose, RowId, Split
from domain.kernel import Aggregate
from domain.values import PayloadRef


class Load(NamedTuple):
    """Rows as they came, by the version of the dataset that brought them; it never changes."""

    version: int
    split: Split
    chunks: tuple[PayloadRef, ...]
    rows: int


class Dataset(Aggregate[DatasetEvent]):
    """Rows in the order they were loaded, as of each of its versions.

    What was loaded stays as it is: replacing and removing rows lies over it. So a dataset can be
    read as of any version, and what was judged or learned at that version can be repeated.
    """

    KIND: ClassVar[str] = "dataset"

    name: str
    purpose: Purpose
    description: str | None

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.fields: tuple[str, ...] = ()
        self.loads: list[Load] = []
        self.changes: dict[RowId, PayloadRef | None] = {}
        """What became of rows since they were loaded: their content, ``None`` if removed."""
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

        Metadata may come or go with them.

        Raises:
            FieldsDiffer: The rows that are there have other fields.
        """
        if self.fields and _said(fields) != _said(self.fields):
            raise FieldsDiffer(known=self.fields, given=fields)
        event = DatasetRowsLoaded(split=split, chunks=chunks, count=count, fields=fields)
        self.record(event, at=at)

    def replace(
        self,
        row: RowId,
        content: PayloadRef,
        *,
        fields: tuple[str, ...],
        reason: str,
        at: datetime,
    ) -> None:
        """Give *row* another *content*, which has *fields*. What replaced it last changes nothing.

        Metadata may come or go with it.

        Raises:
            RowNotFound: There is none, or it was removed.
            FieldsDiffer: The rows that are there have other fields.
        """
        split = self.split_of(row)
        if _said(fields) != _said(self.fields):
            raise FieldsDiffer(known=self.fields, given=fields, pointer="/row")
        if self.changes.get(row) != content:
            event = DatasetRowReplaced(row=row, split=split, content=content, reason=reason)
            self.record(event, at=at)

    def remove(self, row: RowId, reason: str, *, at: datetime) -> None:
        """Take *row* out. A second time changes nothing.

        Raises:
            RowNotFound: There never was one.
        """
        load = self.load_of(row)
        if self.changes.get(row, load) is not None:
            self.record(DatasetRowRemoved(row=row, split=load.split, reason=reason), at=at)

    def split_of(self, row: RowId) -> Split:
        """Which part *row* is in.

        Raises:
            RowNotFound: There is none, or it was removed.
        """
        load = self.load_of(row)
        if self.changes.get(row, load) is None:
            raise RowNotFound(self.id, row)
        return load.split

    def load_of(self, row: RowId) -> Load:
        """What brought *row*, which may have been removed since.

        Raises:
            RowNotFound: There never was one.
        """
        version, place = parts(row)
        for load in self.loads:
            if load.version == version and place <= load.rows:
                return load
        raise RowNotFound(self.id, row)

    def made_of(self, split: Split) -> tuple[str, ...]:
        """What tells the rows of *split* from all others: where they lie, and what changed them."""
        loads = [load for load in self.loads if load.split is split]
        chunks = tuple(chunk.digest for load in loads for chunk in load.chunks)
        places = {load.version: place for place, load in enumerate(loads)}
        changes = tuple(
            f"{places[parts(row)[0]]}-{parts(row)[1]}={content.digest if content else 'removed'}"
            for row, content in self.changes.items()
            if parts(row)[0] in places
        )
        if not changes:
            return chunks
        return (*chunks, *(f"{load.rows} rows" for load in loads), *changes)

    def evolve(self, event: DatasetEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case DatasetCreated():
                self.name = event.name
                self.purpose = event.purpose
                self.description = event.description
            case DatasetRowsLoaded(split=split, chunks=chunks, count=count):
                self.fields = self.fields or event.fields
                self.loads.append(Load(self.version + 1, split, chunks, count))
                self.rows[split] += count
            case DatasetRowReplaced(row=row, content=content):
                self.changes[row] = content
            case DatasetRowRemoved(row=row, split=split):
                self.changes[row] = None
                self.rows[split] -= 1
            case _:
                assert_never(event)


def parts(row: RowId) -> tuple[int, int]:
    """The version that brought *row*, and its place in that load, from 1."""
    version, _, place = row.partition("-")
    return int(version), int(place)


def _said(fields: Iterable[str]) -> set[str]:
    return {name for name in fields if not name.startswith(METADATA)}
