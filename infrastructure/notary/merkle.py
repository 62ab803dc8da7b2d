"""The tree as it grows and as it is proved: which nodes to keep, and which a proof consists of."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

from infrastructure.notary.verifier.tree import Frontier, node_hash

TILE_HEIGHT = 8
TILE = 2**TILE_HEIGHT
"""Leaves are kept side by side; of the nodes above them only those of whole tiles are kept."""


class Subtree(NamedTuple):
    """A complete subtree of ``2 ** height`` leaves, number ``place`` from the left."""

    height: int
    place: int


Range = tuple[int, int]
"""Leaves from the first to before the second."""


def grow(tree: Frontier, hashes: Iterable[bytes]) -> Sequence[tuple[Subtree, bytes]]:
    """Append leaves; what comes out are the nodes to keep that they completed."""
    nodes: list[tuple[Subtree, bytes]] = []
    for hashed in hashes:
        index, height, node = tree.size, 0, hashed
        while index >> height & 1:
            node, height = node_hash(tree.roots.pop(), node), height + 1
            if height >= TILE_HEIGHT:
                nodes.append((Subtree(height, index >> height), node))
        tree.roots.append(node)
        tree.size += 1
    return nodes


def inclusion_path(index: int, size: int) -> list[Range]:
    """What a proof that leaf *index* is in the tree of *size* leaves consists of, in order."""
    path: list[Range] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Range]:
    """What a proof that the tree of *new* leaves begins with that of *old* consists of."""
    path: list[Range] = []
    low, high = 0, new
    while high != old:
        middle = low + _split(high - low)
        if old <= middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return [*([(low, high)] if low else []), *path[::-1]]


def complete(leaves: Range) -> list[Subtree]:
    """The largest complete subtrees that a node over *leaves* is made of, from the left."""
    low, high = leaves
    subtrees: list[Subtree] = []
    while low < high:
        height = (high - low).bit_length() - 1
        subtrees.append(Subtree(height, low >> height))
        low += 1 << height
    return subtrees


def joined(hashes: Sequence[bytes]) -> bytes:
    """The node over neighbouring complete subtrees, the largest first."""
    return reduce(lambda right, left: node_hash(left, right), reversed(hashes))


def _split(count: int) -> int:
    """The largest power of two below *count*."""
    return 1 << (count - 1).bit_length() - 1
