"""What a dataset looks like in figures: pure over its rows, one pass."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import Field, JsonValue

from domain.dataset.shape import Row
from domain.kernel import ValueObject
from domain.values import Digest

MAX_LABELS: Final = 50
"""A field with more distinct values than this is no label."""

Count = Annotated[int, Field(ge=0)]


class FieldStatistics(ValueObject):
    """One field over all rows.

    ``present`` counts the rows that have it, ``null_rate`` is the part of these that is null.
    Lengths are in characters of the text, or of the JSON of what is no text; null has none.
    ``labels`` counts each value, if there are few.
    """

    present: Count
    null_rate: Annotated[float, Field(ge=0, le=1)]
    length_min: Count | None
    length_mean: Annotated[float, Field(ge=0)] | None
    length_p95: Count | None
    labels: dict[str, int] | None


class DatasetStatistics(ValueObject):
    """``duplicates`` counts the rows that repeat an earlier one in full.

    ``digest`` is over all rows in their order: equal rows in equal order, and only they, share it.
    """

    size: Count
    digest: Digest
    duplicates: Count
    fields: dict[str, FieldStatistics]


class _Tally:
    """What one field showed so far."""

    def __init__(self) -> None:
        self.present = self.nulls = 0
        self.lengths: Counter[int] = Counter()
        self.labels: Counter[str] | None = Counter()

    def add(self, value: JsonValue) -> None:
        self.present += 1
        if value is None:
            self.nulls += 1
            return
        text = value if isinstance(value, str) else _json(value)
        self.lengths[len(text)] += 1
        if self.labels is not None:
            self.labels[text] += 1
            if len(self.labels) > MAX_LABELS:
                self.labels = None

    def result(self) -> FieldStatistics:
        count = self.lengths.total()
        total = sum(length * times for length, times in self.lengths.items())
        return FieldStatistics(
            present=self.present,
            null_rate=self.nulls / self.present,
            length_min=min(self.lengths, default=None),
            length_mean=total / count if count else None,
            length_p95=_p95(self.lengths),
            labels=dict(self.labels.most_common()) if self.labels else None,
        )


def statistics(rows: Iterable[Row]) -> DatasetStatistics:
    """Figures over *rows*, which are read once."""
    size = 0
    seen: set[bytes] = set()
    whole = hashlib.sha256()
    tallies: dict[str, _Tally] = {}
    for row in rows:
        size += 1
        digest = hashlib.sha256(_json(dict(row)).encode()).digest()
        seen.add(digest)
        whole.update(digest)
        for field, value in row.items():
            tallies.setdefault(field, _Tally()).add(value)
    return DatasetStatistics(
        size=size,
        digest=whole.hexdigest(),
        duplicates=size - len(seen),
        fields={field: tally.result() for field, tally in tallies.items()},
    )


def _p95(lengths: Counter[int]) -> int | None:
    """The nearest-rank 95th percentile."""
    rank = math.ceil(0.95 * lengths.total())
    for length in sorted(lengths):
        rank -= lengths[length]
        if rank <= 0:
            return length
    return None


def _json(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
