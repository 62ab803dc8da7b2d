"""Rows that come with the wish to optimize become one dataset, whoever sends them."""

from uuid import UUID, uuid4

import pytest

from application.optimizations import RequestOptimization
from domain.dataset.aggregate import Dataset
from domain.optimization.events import OptimizationRequested
from tests.support.run_world import World

ROWS = ({"message": "It crashes.", "queue": "bug"},)


def wished(world: World, program_id: UUID) -> OptimizationRequested:
    optimization_id = uuid4()
    world.do(
        RequestOptimization(
            optimization_id=optimization_id,
            program_id=program_id,
            trainset=ROWS,
            metric="exact_match",
        )
    )
    (event,) = world.events(optimization_id)
    assert isinstance(event, OptimizationRequested)
    return event


@pytest.mark.feature("PRG-13")
def test_prg_13_the_same_rows_at_the_same_time_become_one_dataset() -> None:
    world = World()
    program_id, others = world.a_program(), list[OptimizationRequested]()

    def somebody_else_is_first(dataset: Dataset) -> None:
        world.datasets.before_save = None
        others.append(wished(world, program_id))

    world.datasets.before_save = somebody_else_is_first
    mine = wished(world, program_id)
    assert [mine] == others
    assert (mine.dataset_rows, len(world.events(mine.dataset_id))) == (1, 2)
