"""Rows that are replaced or removed, over what was loaded."""

from uuid import uuid4

import pytest

from domain.dataset.aggregate import Dataset
from domain.dataset.errors import FieldsDiffer, RowNotFound
from domain.dataset.events import DatasetEvent, DatasetRowRemoved, DatasetRowReplaced
from domain.dataset.values import Purpose, Split
from tests.support.memory import NOW
from tests.support.runs import ref


@pytest.fixture
def dataset() -> Dataset:
    made = Dataset.create(uuid4(), name="tickets", purpose=Purpose.CUSTOM, description=None, at=NOW)
    made.load(Split.TRAIN, (ref("1"),), count=3, fields=("a", "b"), at=NOW)
    made.load(Split.HELDOUT, (ref("2"),), count=2, fields=("a", "b"), at=NOW)
    made.collect()
    return made


def events(dataset: Dataset) -> list[DatasetEvent]:
    return [pending.event for pending in dataset.collect()]


def replace(dataset: Dataset, row: str, text: str, *fields: str) -> None:
    dataset.replace(row, ref(text), fields=fields or ("b", "a"), reason="wrong label", at=NOW)


@pytest.mark.feature("EXM-01")
def test_exm_01_a_row_is_replaced_at_its_place(dataset: Dataset) -> None:
    replace(dataset, "3-2", "better")
    replace(dataset, "3-2", "better")  # it says that already
    assert events(dataset) == [
        DatasetRowReplaced(
            row="3-2", split=Split.HELDOUT, content=ref("better"), reason="wrong label"
        )
    ]
    assert dataset.rows == {Split.TRAIN: 3, Split.HELDOUT: 2}
    assert dataset.changes == {"3-2": ref("better")}


@pytest.mark.feature("EXM-01")
def test_exm_01_a_row_is_removed_once(dataset: Dataset) -> None:
    replace(dataset, "2-3", "better")
    dataset.remove("2-3", "twice there", at=NOW)
    dataset.remove("2-3", "twice there", at=NOW)
    dataset.remove("2-1", "twice there", at=NOW)
    assert events(dataset)[1:] == [
        DatasetRowRemoved(row="2-3", split=Split.TRAIN, reason="twice there"),
        DatasetRowRemoved(row="2-1", split=Split.TRAIN, reason="twice there"),
    ]
    assert (dataset.rows[Split.TRAIN], dataset.size) == (1, 3)


def test_a_row_that_was_removed_is_not_replaced(dataset: Dataset) -> None:
    dataset.remove("2-1", "no", at=NOW)
    with pytest.raises(RowNotFound, match="has no row 2-1"):
        replace(dataset, "2-1", "better")


@pytest.mark.parametrize("row", ["2-4", "3-3", "1-1", "4-1"])
def test_a_row_that_never_came_is_not_found(dataset: Dataset, row: str) -> None:
    with pytest.raises(RowNotFound):
        dataset.remove(row, "no", at=NOW)


def test_a_row_keeps_the_fields_of_all_rows(dataset: Dataset) -> None:
    with pytest.raises(FieldsDiffer) as refusal:
        replace(dataset, "2-1", "better", "a", "c")
    assert refusal.value.faults[0].pointer == "/row"


def test_what_a_part_is_made_of_tells_its_rows_from_all_others(dataset: Dataset) -> None:
    untouched = dataset.made_of(Split.TRAIN)
    assert untouched == (ref("1").digest,)
    replace(dataset, "3-1", "better")
    assert dataset.made_of(Split.TRAIN) == untouched
    seen: set[tuple[str, ...]] = {untouched}
    for change in (
        lambda: replace(dataset, "2-1", "better"),
        lambda: replace(dataset, "2-1", "best"),
        lambda: replace(dataset, "2-2", "best"),
        lambda: dataset.remove("2-2", "no", at=NOW),
    ):
        change()
        assert dataset.made_of(Split.TRAIN) not in seen
        seen.add(dataset.made_of(Split.TRAIN))


def test_the_same_change_of_another_load_makes_other_rows() -> None:
    def made(*counts: int, row: str) -> tuple[str, ...]:
        it = Dataset.create(uuid4(), name="x", purpose=Purpose.CUSTOM, description=None, at=NOW)
        for count in counts:
            it.load(Split.TRAIN, (ref(str(count)),), count=count, fields=("a", "b"), at=NOW)
        replace(it, row, "better")
        return it.made_of(Split.TRAIN)

    assert made(3, 3, row="2-1") != made(3, 3, row="3-1")
