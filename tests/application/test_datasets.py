"""Creating datasets, loading rows, reading them back."""

import json
import time
from uuid import UUID, uuid4

import pytest

from application.context import within
from application.datasets import CHUNK_ROWS, CreateDataset, LoadRows
from application.errors import NameIsTaken
from application.examples import rows_of
from application.rows import parse_rows
from domain.dataset.errors import FieldsDiffer, RowsAreMalformed
from domain.dataset.events import DatasetRowsLoaded
from domain.dataset.statistics import statistics
from domain.dataset.values import Purpose, Split
from domain.errors import StaleVersion
from tests.support.run_world import CONTEXT, World


@pytest.fixture
def world() -> World:
    return World()


def a_dataset(world: World, name: str = "tickets") -> UUID:
    dataset_id = uuid4()
    world.do(CreateDataset(dataset_id=dataset_id, name=name, purpose=Purpose.TRAINING))
    return dataset_id


def test_a_name_belongs_to_one_dataset(world: World) -> None:
    a_dataset(world)
    with pytest.raises(NameIsTaken):
        a_dataset(world)


@pytest.mark.feature("DST-02")
def test_dst_02_rows_lie_in_chunks_and_come_back_in_order(world: World) -> None:
    dataset_id = a_dataset(world)
    first = tuple({"n": n, "label": "a"} for n in range(CHUNK_ROWS + 5))
    second = tuple({"label": "b", "n": n} for n in range(3))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=first))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=second, expected_version=2))
    loaded = world.events(dataset_id)[1]
    assert isinstance(loaded, DatasetRowsLoaded)
    assert (len(loaded.chunks), loaded.count) == (2, CHUNK_ROWS + 5)
    with within(CONTEXT):
        dataset = world.datasets.get(dataset_id)
        assert rows_of(dataset, Split.TRAIN, world.payloads) == [*first, *second]
        assert rows_of(dataset, Split.HELDOUT, world.payloads) == []


def test_malformed_rows_are_refused_and_nothing_is_stored(world: World) -> None:
    dataset_id = a_dataset(world)
    with pytest.raises(RowsAreMalformed):
        world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=({"a": 1}, {"b": 1})))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=({"a": 1},)))
    with pytest.raises(FieldsDiffer):
        world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=({"b": 1},)))
    assert len(world.events(dataset_id)) == 2


def test_a_stale_load_is_refused(world: World) -> None:
    dataset_id = a_dataset(world)
    with pytest.raises(StaleVersion):
        world.do(
            LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=({"a": 1},), expected_version=9)
        )


@pytest.mark.slow
@pytest.mark.feature("DST-02")
def test_dst_02_100_000_rows_are_parsed_and_loaded_well_under_a_minute(world: World) -> None:
    text = "\n".join(
        json.dumps({"message": f"Ticket {n}: the export button does nothing.", "queue": "bug"})
        for n in range(100_000)
    ).encode()
    dataset_id, began = a_dataset(world), time.monotonic()
    rows = tuple(parse_rows(text, "jsonl"))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=rows))
    assert statistics(rows).size == 100_000
    assert time.monotonic() - began < 30
