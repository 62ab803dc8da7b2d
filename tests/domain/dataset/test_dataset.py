"""A dataset and the shape of its rows."""

from uuid import uuid4

import pytest
from pydantic import JsonValue

from domain.dataset.aggregate import Dataset, Load
from domain.dataset.errors import FieldsDiffer, RowsAreMalformed
from domain.dataset.events import DatasetRowsLoaded
from domain.dataset.shape import common_fields
from domain.dataset.values import Purpose, Split
from tests.support.memory import NOW
from tests.support.runs import ref


def created() -> Dataset:
    dataset = Dataset.create(
        uuid4(), name="tickets", purpose=Purpose.TRAINING, description="ours", at=NOW
    )
    dataset.collect()
    return dataset


@pytest.mark.feature("DST-01")
def test_dst_01_a_dataset_has_a_name_and_one_of_four_purposes() -> None:
    dataset = created()
    assert (dataset.name, dataset.purpose, dataset.description) == ("tickets", "training", "ours")
    assert [*Purpose] == ["training", "validation", "test", "custom"]


@pytest.mark.feature("DST-02")
def test_dst_02_the_size_is_derived_from_what_was_loaded() -> None:
    dataset = created()
    dataset.load(Split.TRAIN, (ref("1"), ref("2")), count=1500, fields=("a", "b"), at=NOW)
    dataset.load(Split.HELDOUT, (ref("3"),), count=10, fields=("b", "a"), at=NOW)
    assert dataset.size == 1510
    assert dataset.rows == {Split.TRAIN: 1500, Split.HELDOUT: 10}
    assert dataset.loads == [
        Load(2, Split.TRAIN, (ref("1"), ref("2")), 1500),
        Load(3, Split.HELDOUT, (ref("3"),), 10),
    ]
    assert dataset.fields == ("a", "b")
    loaded = dataset.collect()[1].event
    assert loaded == DatasetRowsLoaded(
        split=Split.HELDOUT, chunks=(ref("3"),), count=10, fields=("b", "a")
    )


def test_later_rows_have_the_fields_of_the_first() -> None:
    dataset = created()
    dataset.load(Split.TRAIN, (ref("1"),), count=1, fields=("a", "b"), at=NOW)
    with pytest.raises(FieldsDiffer, match="has the fields a, b; these have a, c"):
        dataset.load(Split.HELDOUT, (ref("2"),), count=1, fields=("a", "c"), at=NOW)


@pytest.mark.feature("DST-02")
def test_dst_02_rows_of_another_shape_are_all_named() -> None:
    rows: list[dict[str, JsonValue]] = [
        {"a": 1, "b": 2},
        {"a": 1},
        {"a": 1, "b": 2, "c": 3},
        {"c": 1},
    ]
    with pytest.raises(RowsAreMalformed) as refusal:
        common_fields(rows)
    assert [(fault.pointer, fault.message.split(". ")[0]) for fault in refusal.value.faults] == [
        ("/rows/1", "Row 2 lacks b"),
        ("/rows/2", "Row 3 adds c"),
        ("/rows/3", "Row 4 lacks a, b and adds c"),
    ]


def test_at_most_a_hundred_rows_are_named() -> None:
    rows: list[dict[str, JsonValue]] = [{"a": 1}, *({"b": 1} for _ in range(500))]
    with pytest.raises(RowsAreMalformed) as refusal:
        common_fields(rows)
    assert len(refusal.value.faults) == 100


@pytest.mark.parametrize("rows", [[], [{}]])
def test_rows_without_fields_are_no_rows(rows: list[dict[str, JsonValue]]) -> None:
    with pytest.raises(RowsAreMalformed) as refusal:
        common_fields(rows)
    assert refusal.value.faults[0].code == "dataset.rows_missing"
