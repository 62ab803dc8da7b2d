"""States that were learned under another DSPy are told of, on record, and run all the same."""

from uuid import UUID, uuid4

import pytest

from application.attempts import RunInterrupted
from application.context import within
from application.executions import RequestExecution, RunExecution
from application.foreign import foreign_states
from application.lm_ports import RunnableProgram, RunStopped
from application.payloads import Payload
from application.runnable import runnable
from domain.execution.events import ExecutionCompleted, ExecutionWarned
from domain.program.aggregate import Program
from domain.program.values import Pins
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, GRAPH, World
from tests.support.runs import OVERLOADED

STATE = Payload.of({"answer": {}})


class Upgraded(World):
    dspy = "3.5.0"


@pytest.fixture
def world() -> World:
    return Upgraded()


def compiled(world: World, dspy: str | None) -> UUID:
    """A program whose version 2 was learned under *dspy*; version 3 is that one, edited."""

    def learn(program: Program) -> None:
        libraries = {} if dspy is None else {"dspy": dspy}
        program.compile(
            base_version=1,
            optimization_id=uuid4(),
            optimizer="copro",
            state=STATE.ref,
            training_score=0.5,
            libraries=libraries,
            at=NOW,
        )
        now = Pins(libraries={"dspy": "3.5.0"})
        program.edit(2, ["answer"], None, now.model_copy(update={"adapter": "json"}), "x", at=NOW)
        program.restore_version(2, "It was better.", at=NOW)

    program_id = world.a_program()
    with within(CONTEXT):
        program = world.programs.get(program_id)
        learn(program)
        world.programs.save(program, payloads=[STATE])
    return program_id


def ran(world: World, program_id: UUID, version: int) -> UUID:
    execution_id = uuid4()
    world.do(
        RequestExecution(
            execution_id=execution_id,
            program_id=program_id,
            program_version=version,
            inputs={"message": "It crashes."},
        )
    )
    world.do(RunExecution(execution_id=execution_id))
    return execution_id


@pytest.mark.feature("BRG-17")
@pytest.mark.parametrize("version", [2, 3, 4])
def test_brg_17_a_state_of_another_dspy_warns_and_that_is_on_record(
    world: World, version: int
) -> None:
    program_id = compiled(world, "3.4.1")
    *_, warned, completed = world.events(ran(world, program_id, version))
    assert isinstance(completed, ExecutionCompleted)
    assert warned == ExecutionWarned(
        code="state.other_dspy",
        message=f"The state of {program_id}@{version} was learned under DSPy 3.4.1 and runs under"
        " 3.5.0, so its prompts and answers may differ. Optimize it again.",
    )


@pytest.mark.parametrize(("dspy", "version"), [("3.5.0", 2), (None, 2), ("3.4.1", 1)])
def test_what_was_learned_here_or_not_at_all_warns_of_nothing(
    world: World, dspy: str | None, version: int
) -> None:
    events = world.events(ran(world, compiled(world, dspy), version))
    assert not [each for each in events if isinstance(each, ExecutionWarned)]


def test_the_same_warning_is_recorded_once_however_often_the_run_is_taken_up(
    world: World,
) -> None:
    program_id, execution_id = compiled(world, "3.4.1"), uuid4()
    world.runner.asks, world.runner.error = ["first"], RunStopped(OVERLOADED)
    world.do(
        RequestExecution(
            execution_id=execution_id,
            program_id=program_id,
            program_version=2,
            inputs={"message": "It crashes."},
        )
    )
    with pytest.raises(RunInterrupted, match="goes on later"):
        world.do(RunExecution(execution_id=execution_id))
    world.runner.error = None
    world.do(RunExecution(execution_id=execution_id))
    events = world.events(execution_id)
    assert sum(isinstance(each, ExecutionWarned) for each in events) == 1
    assert isinstance(events[-1], ExecutionCompleted)


def test_the_states_of_programs_that_are_tools_are_looked_at_too(world: World) -> None:
    inner = RunnableProgram("inner@2#a", GRAPH, {}, learned_under="3.3.0")
    outer = RunnableProgram("outer@1", GRAPH, None, programs={(uuid4(), 2): inner})
    assert [each.partition(" was")[0] for each in foreign_states(outer, "3.4.1")] == [
        "The state of inner@2"
    ]
    assert list(foreign_states(outer, None)) == []


def test_a_program_is_run_with_what_its_state_was_learned_under(world: World) -> None:
    program_id = compiled(world, "3.4.1")
    with within(CONTEXT):
        program = world.programs.get(program_id)
        found = [runnable(program, each, world.payloads).learned_under for each in (1, 2, 3, 4)]
    assert found == [None, "3.4.1", "3.4.1", "3.4.1"]
