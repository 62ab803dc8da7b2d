"""How often a stream is folded: what decides whether a snapshot of it would be worth its trouble.

``docs/decisions`` leans on this: a run is held in memory while it goes on.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.datasets import CreateDataset, LoadRows
from application.optimizations import RequestOptimization, RunOptimization
from domain.dataset.values import Split
from tests.support.run_world import Killed, World

Get = Callable[..., Any]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def loads(world: World, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The optimizations that were loaded, in order."""
    loaded: list[UUID] = []
    get: Get = world.optimizations.get

    def counted(id: UUID, **how: Any) -> Any:
        loaded.append(id)
        return get(id, **how)

    monkeypatch.setattr(world.optimizations, "get", counted)
    return loaded


def an_optimization(world: World) -> UUID:
    dataset_id = uuid4()
    world.do(CreateDataset(dataset_id=dataset_id, name="tickets"))
    rows = ({"message": "crash", "queue": "bug"},)
    world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=rows))
    wish = RequestOptimization(
        optimization_id=uuid4(),
        program_id=world.a_program(),
        dataset_id=dataset_id,
        metric="exact_match",
    )
    return world.do(wish).id


@pytest.mark.parametrize("trials", [2, 200])
def test_an_optimization_is_loaded_once_however_many_calls_it_makes(
    world: World, loads: list[UUID], trials: int
) -> None:
    world.optimizer.trials = [0.5] * trials
    optimization_id = an_optimization(world)
    world.do(RunOptimization(optimization_id=optimization_id))
    assert len(world.events(optimization_id)) > 2 * trials
    assert loads == [optimization_id]


def test_each_attempt_loads_it_once_more(world: World, loads: list[UUID]) -> None:
    optimization_id = an_optimization(world)
    world.runner.error = Killed()
    with pytest.raises(Killed):
        world.do(RunOptimization(optimization_id=optimization_id))
    assert loads == [optimization_id]
    world.runner.error = None
    world.do(RunOptimization(optimization_id=optimization_id))
    assert loads == [optimization_id] * 2
