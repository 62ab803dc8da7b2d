"""Rows that say the same, against a plain recomputation."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dataset.duplicates import (
    MAX_GROUPS,
    MAX_NAMED,
    Duplicate,
    Hashed,
    Repeats,
    content_hash,
    duplicates,
    repeats,
)
from domain.dataset.values import Split

CRASH, REFUND = content_hash({"text": "crash"}), content_hash({"text": "refund"})
TRAIN, HELDOUT = Split.TRAIN, Split.HELDOUT


@pytest.mark.feature("EXM-01")
def test_exm_01_rows_that_say_the_same_have_one_hash() -> None:
    row = {"text": "crash", "queue": "bug"}
    assert content_hash(row) == content_hash({"queue": "bug", "text": "crash", "_source": "mail"})
    assert content_hash(row) != content_hash({"text": "crash", "queue": "howto"})
    assert content_hash({"n": 1}) != content_hash({"n": "1"})


@pytest.mark.feature("EXM-01")
def test_exm_01_a_repeated_row_is_reported_with_its_hash() -> None:
    found = duplicates([("2-1", TRAIN, CRASH), ("2-2", TRAIN, REFUND), ("3-1", TRAIN, CRASH)])
    assert (found.rows, found.repeated, found.leaked, found.contents) == (3, 1, 0, 1)
    assert found.groups == (
        Duplicate(
            content_hash=CRASH.hex(), count=2, rows=("2-1", "3-1"), splits=(TRAIN,), leaks=False
        ),
    )


@pytest.mark.feature("EXM-01")
def test_exm_01_a_held_out_row_that_can_be_learned_from_leaks() -> None:
    found = duplicates(
        [
            ("2-1", TRAIN, REFUND),
            ("2-2", TRAIN, REFUND),
            ("2-3", TRAIN, CRASH),
            ("3-1", HELDOUT, CRASH),
            ("3-2", HELDOUT, CRASH),
        ]
    )
    assert (found.repeated, found.leaked) == (2, 2)
    first, second = found.groups
    assert (first.content_hash, first.splits, first.leaks) == (CRASH.hex(), (TRAIN, HELDOUT), True)
    assert not second.leaks


def test_a_load_is_told_what_it_repeats() -> None:
    rows: list[Hashed] = [
        ("2-1", TRAIN, CRASH),
        ("20-1", HELDOUT, REFUND),
        ("3-1", TRAIN, CRASH),
        ("3-2", TRAIN, REFUND),
        ("3-3", TRAIN, REFUND),
    ]
    assert repeats(rows, 3) == Repeats(repeated=2, leaked=2)
    assert repeats(rows[:2], 2) == Repeats()


def test_many_duplicates_are_counted_and_the_first_are_named() -> None:
    many = [(f"2-{n + 1}", TRAIN, content_hash({"n": n // 2})) for n in range(2 * MAX_GROUPS + 10)]
    one = [(f"3-{n + 1}", TRAIN, CRASH) for n in range(MAX_NAMED + 5)]
    found = duplicates([*one, *many])
    assert (found.contents, len(found.groups)) == (MAX_GROUPS + 6, MAX_GROUPS)
    assert (found.groups[0].count, len(found.groups[0].rows)) == (MAX_NAMED + 5, MAX_NAMED)


@given(st.lists(st.tuples(st.sampled_from(Split), st.integers(0, 6)), max_size=40))
def test_the_figures_equal_a_plain_recomputation(said: list[tuple[Split, int]]) -> None:
    rows = [
        (f"2-{place}", split, content_hash({"n": n})) for place, (split, n) in enumerate(said, 1)
    ]
    found = duplicates(iter(rows))
    assert found.repeated == len(said) - len(set(said))
    learned = {n for split, n in said if split is TRAIN}
    assert found.leaked == sum(split is HELDOUT and n in learned for split, n in said)
    counts = Counter(n for _, n in said)
    assert found.contents == sum(count > 1 for count in counts.values())
    assert sum(group.leaks for group in found.groups) == sum(
        {(TRAIN, n), (HELDOUT, n)} <= set(said) for n in counts
    )
    whole = repeats(iter(rows), 2)
    assert whole.repeated == found.repeated
