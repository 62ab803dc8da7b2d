"""The tree of RFC 6962: how hashes are joined, and how its two kinds of proof are checked."""

from __future__ import annotations

import hashlib
from collections import deque
from functools import reduce
from typing import Iterable, Sequence


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that only grows, by the roots of its complete subtrees, the largest first."""

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size, self.roots = size, list(roots)
        if len(self.roots) != bin(size).count("1"):
            raise ValueError(f"a tree of {size} leaves has other complete subtrees than these")

    def append(self, hashed: bytes) -> None:
        places = self.size
        while places & 1:
            hashed = node_hash(self.roots.pop(), hashed)
            places >>= 1
        self.roots.append(hashed)
        self.size += 1

    def root(self) -> bytes:
        """The root of the whole; that of an empty tree is the hash of nothing."""
        if not self.roots:
            return hashlib.sha256().digest()
        return reduce(lambda right, left: node_hash(left, right), reversed(self.roots))


def inclusion_holds(
    hashed: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Whether the leaf *hashed* is number *index* of the tree of that *size* and *root*."""
    if not 0 <= index < size:
        return False
    place, last = index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            hashed = node_hash(sibling, hashed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and hashed == root


def consistency_holds(
    old_root: bytes, new_root: bytes, *, old: int, new: int, path: Sequence[bytes]
) -> bool:
    """Whether the tree of *new* leaves begins with that of *old* leaves."""
    if not 0 < old < new:
        return old == new and old_root == new_root and not path
    hashes = deque([old_root] if old & (old - 1) == 0 else [])
    hashes.extend(path)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not hashes:
        return False
    before = after = hashes.popleft()
    for sibling in hashes:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root
