"""Creating datasets, loading rows into them, replacing some and taking some out."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID, uuid5

from pydantic import Field

from application.authorization import Permission
from application.commands import Command, handles
from application.context import current, within
from application.errors import AggregateNotFound, ConcurrentWrite
from application.fitting import fit
from application.payloads import Payload
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from domain.dataset.aggregate import Dataset
from domain.dataset.shape import common_fields
from domain.dataset.values import Purpose, RowId, Split
from domain.errors import ConflictError, Fault, InvalidError
from domain.signature.fields import SignatureSpec
from domain.text import JsonObject, LongText, Name

CHUNK_ROWS = 1000
"""How many rows one stored text holds."""

_IN_PLACE: Final = UUID("5e6d3f0e-6d0b-5c39-9f35-5a5f6d1b7c11")
_IN_PLACE_VERSION: Final = 2
"""A dataset that was written in place has its rows since then; later changes are not meant."""


class DatasetPartIsEmpty(ConflictError):
    code: ClassVar[str] = "dataset.part_is_empty"

    def __init__(self, dataset: Dataset, split: Split) -> None:
        super().__init__(
            f"Dataset {dataset.name!r} has no {split} rows. Load some with split={split} first."
        )
        self.dataset_id, self.split = dataset.id, split


class DatasetDoesNotFit(InvalidError):
    """The rows lack inputs the program needs, or have none of the outputs a metric compares."""

    code: ClassVar[str] = "dataset.does_not_fit"

    def __init__(self, dataset: Dataset, faults: list[Fault]) -> None:
        fields = ", ".join(dataset.fields)
        super().__init__(f"The rows of {dataset.name!r} do not fit: they have {fields}.", faults)
        self.dataset_id = dataset.id


class CreateDataset(Command):
    dataset_id: UUID
    name: Name
    purpose: Purpose = Purpose.CUSTOM
    description: LongText | None = None


class LoadRows(Command):
    """Append rows to a part; all rows of a dataset have the same fields."""

    dataset_id: UUID
    split: Split
    rows: Annotated[tuple[JsonObject, ...], Field(min_length=1)]
    expected_version: int | None = None


class ReplaceRow(Command):
    """Give a row another content, with the fields that all rows have. What was judged stays."""

    dataset_id: UUID
    row: RowId
    content: Annotated[JsonObject, Field(min_length=1)]
    reason: LongText = NO_REASON
    expected_version: int | None = None


class RemoveRow(Command):
    """Take a row out; a second time changes nothing. What was judged stays."""

    dataset_id: UUID
    row: RowId
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class DatasetHandlers:
    datasets: Repository[Dataset]
    clock: Clock

    @handles(CreateDataset, Permission.AUTHOR)
    def create(self, command: CreateDataset) -> Receipt:
        dataset = Dataset.create(
            command.dataset_id,
            name=command.name,
            purpose=command.purpose,
            description=command.description,
            at=self.clock.now(),
        )
        claim = Claim(Dataset.KIND, command.name, command.dataset_id)
        return self.datasets.save(dataset, claim=claim)

    @handles(LoadRows, Permission.AUTHOR)
    def load(self, command: LoadRows) -> Receipt:
        dataset = self.datasets.get(command.dataset_id)
        dataset.expect(command.expected_version)
        chunks = load_rows(dataset, command.split, command.rows, at=self.clock.now())
        return self.datasets.save(dataset, payloads=chunks)

    @handles(ReplaceRow, Permission.AUTHOR)
    def replace(self, command: ReplaceRow) -> Receipt:
        dataset = self._read(command)
        content = Payload.of(command.content)
        dataset.replace(
            command.row,
            content.ref,
            fields=tuple(command.content),
            reason=command.reason,
            at=self.clock.now(),
        )
        return self.datasets.save(dataset, payloads=[content])

    @handles(RemoveRow, Permission.AUTHOR)
    def remove(self, command: RemoveRow) -> Receipt:
        dataset = self._read(command)
        dataset.remove(command.row, command.reason, at=self.clock.now())
        return self.datasets.save(dataset)

    def _read(self, command: ReplaceRow | RemoveRow) -> Dataset:
        dataset = self.datasets.get(command.dataset_id)
        dataset.expect(command.expected_version)
        return dataset


def load_rows(
    dataset: Dataset, split: Split, rows: Sequence[JsonObject], *, at: datetime
) -> list[Payload]:
    """Append *rows* to a part of *dataset*; returns the texts that are to be stored with it.

    Raises:
        RowsAreMalformed: They do not all have the same fields.
        FieldsDiffer: The rows that are there have other fields.
    """
    chunks = [
        Payload.of(list(rows[first : first + CHUNK_ROWS]))
        for first in range(0, len(rows), CHUNK_ROWS)
    ]
    refs = tuple(chunk.ref for chunk in chunks)
    dataset.load(split, refs, count=len(rows), fields=common_fields(rows), at=at)
    return chunks


def written_in_place(
    datasets: Repository[Dataset], rows: tuple[JsonObject, ...], spec: SignatureSpec, clock: Clock
) -> Dataset:
    """The dataset that was made of just these *rows* to learn from; made if need be.

    Raises:
        RowsAreMalformed: They do not all have the same fields.
        DatasetDoesNotFit: A program with *spec* cannot learn from them.
    """
    chunk, fields, at = Payload.of(list(rows)), common_fields(rows), clock.now()
    dataset_id = uuid5(_IN_PLACE, f"{current().tenant}/{chunk.ref.digest}")
    with suppress(AggregateNotFound):
        return datasets.get(dataset_id, version=_IN_PLACE_VERSION)
    name = f"rows-{chunk.ref.digest[:8]}"
    made = Dataset.create(dataset_id, name=name, purpose=Purpose.TRAINING, description=None, at=at)
    made.load(Split.TRAIN, (chunk.ref,), count=len(rows), fields=fields, at=at)
    fitting_rows(made, Split.TRAIN, spec)
    # The receipt of the command is for what it asked for, not for this.
    with within(replace(current(), fingerprint=None)), suppress(ConcurrentWrite):
        datasets.save(made, payloads=[chunk])
    return datasets.get(dataset_id, version=_IN_PLACE_VERSION)


def fitting_rows(dataset: Dataset, split: Split, spec: SignatureSpec) -> int:
    """How many rows a part has, once it is clear that a program with *spec* can be judged by them.

    Raises:
        DatasetPartIsEmpty: There are none.
        DatasetDoesNotFit: Inputs that the program needs are not among the fields, or no output is.
    """
    if not dataset.rows[split]:
        raise DatasetPartIsEmpty(dataset, split)
    found = fit(spec, dataset.fields).faults
    faults = [Fault("/dataset_id", each.code, each.message) for each in found]
    if faults:
        raise DatasetDoesNotFit(dataset, faults)
    return dataset.rows[split]
