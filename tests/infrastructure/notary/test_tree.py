"""The tree is that of RFC 6962, and its proofs hold for what is so and for nothing else."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.notary.merkle import (
    Range,
    complete,
    consistency_path,
    grow,
    inclusion_path,
    joined,
)
from infrastructure.notary.verifier.tree import (
    Frontier,
    consistency_holds,
    inclusion_holds,
    leaf_hash,
)

# The leaves, roots and paths of the reference implementation of Certificate Transparency.
LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSIONS = [
    (
        (0, 8),
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
    ),
    (
        (5, 8),
        (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    ((2, 3), ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
    (
        (1, 5),
        (
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
]
CONSISTENCIES = [
    ((1, 8), INCLUSIONS[0][1]),
    (
        (6, 8),
        (
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    (
        (2, 5),
        (
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
]
HASHES = [sha256(str(number).encode()).digest() for number in range(600)]


def tree_of(hashes: list[bytes]) -> Frontier:
    tree = Frontier()
    for each in hashes:
        tree.append(each)
    return tree


def node(hashes: list[bytes], leaves: Range) -> bytes:
    """The node over a range, from the complete subtrees that a store would have."""
    return joined(
        [
            tree_of(hashes[each.place << each.height : (each.place + 1) << each.height]).root()
            for each in complete(leaves)
        ]
    )


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_the_reference(size: int) -> None:
    hashes = [leaf_hash(each) for each in LEAVES[:size]]
    assert tree_of(hashes).root().hex() == ROOTS[size]


@pytest.mark.parametrize(("place", "path"), INCLUSIONS)
def test_inclusion_proofs_are_those_of_the_reference(
    place: tuple[int, int], path: tuple[str, ...]
) -> None:
    hashes = [leaf_hash(each) for each in LEAVES]
    assert [node(hashes, each).hex() for each in inclusion_path(*place)] == [*path]


@pytest.mark.parametrize(("sizes", "path"), CONSISTENCIES)
def test_consistency_proofs_are_those_of_the_reference(
    sizes: tuple[int, int], path: tuple[str, ...]
) -> None:
    hashes = [leaf_hash(each) for each in LEAVES]
    assert [node(hashes, each).hex() for each in consistency_path(*sizes)] == [*path]


@given(st.integers(1, 300).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_every_leaf_is_proved_to_be_where_it_is_and_nowhere_else(place: tuple[int, int]) -> None:
    size, index = place
    path = [node(HASHES, each) for each in inclusion_path(index, size)]
    root = tree_of(HASHES[:size]).root()

    def holds(hashed: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
        return inclusion_holds(hashed, index=index, size=size, path=path, root=root)

    assert holds(HASHES[index], index, size, path, root)
    assert len(path) <= (size - 1).bit_length()
    assert not holds(HASHES[-1], index, size, path, root)
    assert not holds(HASHES[index], index, size, path, HASHES[-1])
    assert not holds(HASHES[index], index, size, [*path, HASHES[-1]], root)
    assert not holds(HASHES[index], size, size, path, root)
    assert not any(holds(HASHES[index], other, size, path, root) for other in range(index))
    for wrong in range(len(path)):
        other = [HASHES[-1] if number == wrong else each for number, each in enumerate(path)]
        assert not holds(HASHES[index], index, size, other, root)
        assert not holds(HASHES[index], index, size, path[:wrong] + path[wrong + 1 :], root)


@pytest.mark.parametrize("new", range(1, 65))
def test_every_tree_is_proved_to_begin_with_every_smaller_one(new: int) -> None:
    after = tree_of(HASHES[:new]).root()
    for old in range(1, new + 1):
        before = tree_of(HASHES[:old]).root()
        path = [node(HASHES, each) for each in consistency_path(old, new)]
        assert consistency_holds(before, after, old=old, new=new, path=path)
        assert old == new or len(path) <= (new - 1).bit_length() + 1
        assert not consistency_holds(HASHES[-1], after, old=old, new=new, path=path)
        assert not consistency_holds(before, HASHES[-1], old=old, new=new, path=path)
        assert not consistency_holds(before, after, old=old, new=new, path=[*path, HASHES[-1]])
        for wrong in range(len(path)):
            other = [HASHES[-1] if number == wrong else each for number, each in enumerate(path)]
            assert not consistency_holds(before, after, old=old, new=new, path=other)
            fewer = path[:wrong] + path[wrong + 1 :]
            assert not consistency_holds(before, after, old=old, new=new, path=fewer)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (5, 3), (-1, 2)])
def test_no_tree_begins_with_a_greater_one_or_with_none(old: int, new: int) -> None:
    root = tree_of(HASHES[:5]).root()
    assert not consistency_holds(root, ROOTS[3].encode(), old=old, new=new, path=[])


def test_a_proof_of_nothing_proves_nothing() -> None:
    assert not consistency_holds(HASHES[0], HASHES[0], old=3, new=5, path=[])


@given(st.lists(st.integers(1, 300), max_size=4))
def test_growing_keeps_the_nodes_of_whole_tiles_and_the_same_root(steps: list[int]) -> None:
    size = min(sum(steps), len(HASHES))
    grown, done, kept = Frontier(), 0, {}
    for step in [*steps, 0]:
        kept |= dict(grow(grown, HASHES[done : min(done + step, size)]))
        done = min(done + step, size)
    assert (grown.size, grown.root()) == (size, tree_of(HASHES[:size]).root())
    for subtree, hashed in kept.items():
        low = subtree.place << subtree.height
        assert subtree.height >= 8
        assert hashed == tree_of(HASHES[low : low + (1 << subtree.height)]).root()
    assert len(kept) == sum(size >> height for height in range(8, size.bit_length()))


def test_a_tree_is_not_made_of_other_subtrees_than_it_has() -> None:
    with pytest.raises(ValueError, match="5 leaves"):
        Frontier(5, [HASHES[0]])
