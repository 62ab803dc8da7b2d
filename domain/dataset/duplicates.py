"""Rows that say the same: within a part they count double, across the parts they leak."""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import Field

from domain.dataset.shape import METADATA, Row
from domain.dataset.values import RowId, Split
from domain.kernel import ValueObject
from domain.values import Digest

MAX_GROUPS: Final = 200
"""How many contents are named; all are counted."""

MAX_NAMED: Final = 20
"""How many rows of one content are named."""

Hashed = tuple[RowId, Split, bytes]
"""A row, its part, and the sha-256 of its content."""

_encode: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
).encode

Count = Annotated[int, Field(ge=0)]


class Duplicate(ValueObject):
    """Rows with one content: how many there are, and the first of them.

    It ``leaks`` if one may be learned from while another judges.
    """

    content_hash: Digest
    count: Annotated[int, Field(ge=2)]
    rows: tuple[RowId, ...]
    splits: tuple[Split, ...]
    leaks: bool


class Duplicates(ValueObject):
    """``repeated`` counts the rows that repeat an earlier one of their part.

    ``leaked`` counts the held-out rows that the train part has, too. ``groups`` are the contents
    that several rows have, those that leak first, as many as can be named; ``contents`` counts all.
    """

    rows: Count
    repeated: Count
    leaked: Count
    contents: Count
    groups: tuple[Duplicate, ...]


class Repeats(ValueObject):
    """Of the rows of one load: how many repeat earlier rows of their part, and how many leak."""

    repeated: Count = 0
    leaked: Count = 0


def content_hash(row: Row) -> bytes:
    """The sha-256 of *row* without its metadata: equal for rows that say the same, and only them.

    The order of the fields does not matter.
    """
    said = {name: row[name] for name in row if name[:1] != METADATA}
    return hashlib.sha256(_encode(said).encode()).digest()


def duplicates(rows: Iterable[Hashed]) -> Duplicates:
    """Every content that several of *rows* have; they are read once."""
    found: dict[bytes, list[tuple[RowId, Split]]] = {}
    count = 0
    for row, split, digest in rows:
        count += 1
        found.setdefault(digest, []).append((row, split))
    several = [(digest, same) for digest, same in found.items() if len(same) > 1]
    groups = [_duplicate(digest, same) for digest, same in several]
    leaking = [digest for (digest, _), group in zip(several, groups, strict=True) if group.leaks]
    return Duplicates(
        rows=count,
        repeated=sum(len(same) - len({split for _, split in same}) for _, same in several),
        leaked=sum(split is Split.HELDOUT for digest in leaking for _, split in found[digest]),
        contents=len(groups),
        groups=tuple(sorted(groups, key=lambda group: not group.leaks)[:MAX_GROUPS]),
    )


def repeats(rows: Iterable[Hashed], version: int) -> Repeats:
    """What the load of *version* repeats of all *rows*, which come in their order."""
    brought: list[tuple[Split, bytes]] = []
    seen: dict[Split, set[bytes]] = {split: set() for split in Split}
    repeated, prefix = 0, f"{version}-"
    for row, split, digest in rows:
        if row.startswith(prefix):
            brought.append((split, digest))
            repeated += digest in seen[split]
        seen[split].add(digest)
    other = {Split.TRAIN: seen[Split.HELDOUT], Split.HELDOUT: seen[Split.TRAIN]}
    return Repeats(
        repeated=repeated, leaked=sum(digest in other[split] for split, digest in brought)
    )


def _duplicate(digest: bytes, same: list[tuple[RowId, Split]]) -> Duplicate:
    splits = tuple(dict.fromkeys(split for _, split in same))
    return Duplicate(
        content_hash=digest.hex(),
        count=len(same),
        rows=tuple(row for row, _ in same[:MAX_NAMED]),
        splits=splits,
        leaks=len(splits) > 1,
    )
