"""How answers are read is on record with each attempt, so a replay reads them the same way."""

from uuid import UUID, uuid4

import pytest

from application.attempts import RunInterrupted
from application.datasets import CreateDataset, LoadRows
from application.evaluations import RequestEvaluation, RunEvaluation
from application.executions import RequestExecution, RunExecution
from application.lm_ports import RunStopped
from application.replays import RequestReplay, RunReplay
from domain.dataset.values import Split
from domain.execution.events import ExecutionStarted
from domain.values import AS_DSPY, Reading
from tests.support.run_world import World
from tests.support.runs import OVERLOADED

CAREFUL = Reading(repair=True, feedback=2)


class CarefulWorld(World):
    reading = CAREFUL


def requested(world: World) -> UUID:
    program_id, execution_id = world.a_program(), uuid4()
    world.do(
        RequestExecution(
            execution_id=execution_id, program_id=program_id, inputs={"message": "It crashes."}
        )
    )
    return execution_id


def readings(world: World) -> list[Reading]:
    """How the runner was told to read, each time it ran."""
    return [program.reading for program, _ in world.runner.ran]


@pytest.mark.feature("BRG-15")
def test_brg_15_an_attempt_says_how_it_reads_answers_and_its_replay_reads_as_it_did() -> None:
    careful = CarefulWorld()
    execution_id = requested(careful)
    careful.do(RunExecution(execution_id=execution_id))
    assert ExecutionStarted(attempt=1, worker="worker-1", reading=CAREFUL) in careful.events(
        execution_id
    )
    careful.do(RequestReplay(execution_id=execution_id))
    careful.do(RunReplay(execution_id=execution_id, replay=1))
    assert readings(careful) == [CAREFUL, CAREFUL]
    assert careful.events(execution_id)[-1].TOPIC == "execution.replay_verified"


@pytest.mark.feature("BRG-15")
def test_brg_15_an_execution_of_before_is_replayed_as_it_was_read() -> None:
    world = World()
    execution_id = requested(world)
    world.do(RunExecution(execution_id=execution_id))
    world.reading = CAREFUL
    world.bus = world.bus_with(world.engine)
    world.do(RequestReplay(execution_id=execution_id))
    world.do(RunReplay(execution_id=execution_id, replay=1))
    assert readings(world) == [AS_DSPY, AS_DSPY]


def test_another_attempt_reads_as_its_own_worker_does() -> None:
    world = World()
    world.runner.error = RunStopped(OVERLOADED)
    execution_id = requested(world)
    with pytest.raises(RunInterrupted):
        world.do(RunExecution(execution_id=execution_id))
    world.runner.error, world.reading = None, CAREFUL
    world.bus = world.bus_with(world.engine)
    world.do(RunExecution(execution_id=execution_id))
    assert readings(world) == [AS_DSPY, CAREFUL]


def test_rows_of_an_evaluation_are_read_as_executions_are() -> None:
    careful, dataset_id, evaluation_id = CarefulWorld(), uuid4(), uuid4()
    careful.do(CreateDataset(dataset_id=dataset_id, name="tickets"))
    rows = ({"message": "m", "queue": "bug"},)
    careful.do(LoadRows(dataset_id=dataset_id, split=Split.HELDOUT, rows=rows))
    careful.do(
        RequestEvaluation(
            evaluation_id=evaluation_id,
            program_id=careful.a_program(),
            dataset_id=dataset_id,
            split=Split.HELDOUT,
            metric="exact_match",
        )
    )
    careful.do(RunEvaluation(evaluation_id=evaluation_id))
    assert careful.evaluator.read == [CAREFUL]
