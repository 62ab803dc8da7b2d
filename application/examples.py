"""The rows of datasets as they are read: each with its id, as of any version of its dataset."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import Final, NamedTuple
from uuid import UUID

from application.lm_ports import JsonObject
from application.ports import PayloadStore, Repository
from application.runnable import json_object
from domain.dataset.aggregate import Dataset, Load, parts
from domain.dataset.duplicates import Hashed, content_hash
from domain.dataset.values import RowId, Split
from domain.values import PayloadRef

_HASH_BYTES: Final = 32
_REMEMBERED: Final = 512


class Example(NamedTuple):
    """A row of a dataset: what it says now, and which part it belongs to."""

    id: RowId
    split: Split
    row: JsonObject


def examples(
    dataset: Dataset,
    payloads: PayloadStore,
    split: Split | None = None,
    *,
    after: RowId | None = None,
) -> Iterator[Example]:
    """The rows of one part, or of both, in the order they were loaded; those later than *after*.

    Raises:
        PayloadIsMissing: Some rows were erased.
    """
    version, place = (0, 0) if after is None else parts(after)
    for load in dataset.loads:
        if load.version < version or split not in (None, load.split):
            continue
        first = place if load.version == version else 0
        for index, row in _loaded(load, payloads, first):
            if (found := _now(dataset, load, index, row, payloads)) is not None:
                yield found


def example(dataset: Dataset, row: RowId, payloads: PayloadStore) -> Example:
    """The row that is called so.

    Raises:
        RowNotFound: There is none, or it was removed.
        PayloadIsMissing: It was erased.
    """
    split, (_, place) = dataset.split_of(row), parts(row)
    if (content := dataset.changes.get(row)) is not None:
        return Example(row, split, json_object(payloads.get(content)))
    _, loaded = next(_loaded(dataset.load_of(row), payloads, place - 1))
    return Example(row, split, loaded)


def rows_of(dataset: Dataset, split: Split, payloads: PayloadStore) -> list[JsonObject]:
    """All rows of a part in the order they were loaded.

    Raises:
        PayloadIsMissing: Some rows were erased.
    """
    return [each.row for each in examples(dataset, payloads, split)]


def pinned_rows(
    datasets: Repository[Dataset],
    payloads: PayloadStore,
    id: UUID,
    split: Split,
    *,
    version: int | None,
    count: int,
) -> list[JsonObject]:
    """The rows of a part as they were at *version* of the dataset, whatever became of them since.

    Without a version they are the first *count* as they were loaded: whoever pinned them so did it
    when rows were only ever appended.

    Raises:
        AggregateNotFound: There is no such dataset.
        PayloadIsMissing: Some rows were erased.
    """
    dataset = datasets.get(id, version=version)
    if version is not None:
        return rows_of(dataset, split, payloads)
    loads = [load for load in dataset.loads if load.split is split]
    return list(islice((row for load in loads for _, row in _loaded(load, payloads, 0)), count))


class RowHashes:
    """What tells contents of rows apart, remembered by the stored text that holds the rows."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[str, bytes] = OrderedDict()

    def of(
        self, dataset: Dataset, payloads: PayloadStore, split: Split | None = None
    ) -> Iterator[Hashed]:
        """Every row of one part, or of both, with its part and the hash of its content.

        Raises:
            PayloadIsMissing: Some rows were erased.
        """
        for load in dataset.loads:
            if split not in (None, load.split):
                continue
            for place, digest in enumerate(self._each(load.chunks, payloads), 1):
                row = f"{load.version}-{place}"
                if row not in dataset.changes:
                    yield row, load.split, digest
                elif (content := dataset.changes[row]) is not None:
                    now = json_object(payloads.get(content))
                    yield row, load.split, content_hash(now)

    def _each(self, chunks: Sequence[PayloadRef], payloads: PayloadStore) -> Iterator[bytes]:
        for chunk in chunks:
            hashes = self._hashes(chunk, payloads)
            for first in range(0, len(hashes), _HASH_BYTES):
                yield hashes[first : first + _HASH_BYTES]

    def _hashes(self, chunk: PayloadRef, payloads: PayloadStore) -> bytes:
        with self._lock:
            if (known := self._known.get(chunk.digest)) is not None:
                self._known.move_to_end(chunk.digest)
                return known
        found = b"".join(content_hash(row) for row in _rows(chunk, payloads))
        with self._lock:
            self._known[chunk.digest] = found
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found


def _now(
    dataset: Dataset, load: Load, index: int, row: JsonObject, payloads: PayloadStore
) -> Example | None:
    name = f"{load.version}-{index}"
    if name not in dataset.changes:
        return Example(name, load.split, row)
    if (content := dataset.changes[name]) is None:
        return None
    return Example(name, load.split, json_object(payloads.get(content)))


def _loaded(load: Load, payloads: PayloadStore, first: int) -> Iterator[tuple[int, JsonObject]]:
    """The rows of *load* as they came, behind the *first* ones, with their places from 1.

    All chunks of a load but the last hold equally many rows, so those before are not read.
    """
    chunks, place = list(load.chunks), 0
    if first and (size := len(_rows(chunks[0], payloads))):
        passed = min(first // size, len(chunks) - 1)
        chunks, place = chunks[passed:], passed * size
    for chunk in chunks:
        for row in _rows(chunk, payloads):
            place += 1
            if place > first:
                yield place, row


def _rows(chunk: PayloadRef, payloads: PayloadStore) -> list[JsonObject]:
    rows = payloads.get(chunk)
    assert isinstance(rows, list)
    return [json_object(row) for row in rows]
