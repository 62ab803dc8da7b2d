"""Deadlines: whose word counts, and that an execution ends at its own while its engine goes on."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from application.executions import RequestExecution, RunExecution, TimeOutExecution
from application.lm_ports import TimeIsOver
from application.programs import ConfigureProgram
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
)
from domain.program.deadline import DEADLINE
from tests.support.memory import NOW
from tests.support.run_world import World


@pytest.fixture
def world() -> World:
    return World()


def request(world: World, *, config: dict[str, object] | None = None, **told: object) -> UUID:
    program_id = world.a_program()
    if config is not None:
        world.change_program(program_id, lambda it: it.configure(config, None, at=NOW))  # type: ignore[arg-type]  # it is JSON
    wish = {
        "execution_id": uuid4(),
        "program_id": program_id,
        "inputs": {"message": "It crashes."},
        **told,
    }
    return world.do(RequestExecution.model_validate(wish)).id


@pytest.mark.feature("BRG-08")
@pytest.mark.parametrize(
    ("request_s", "program_s", "usual_s", "given_s"),
    [
        (5, 60, 30, 5),
        (None, 60, 30, 60),
        (None, None, 30, 30),
        (None, 60, None, 60),
        (None, None, None, None),
    ],
)
def test_brg_08_the_request_says_first_then_the_program_then_what_is_usual(
    world: World,
    request_s: float | None,
    program_s: float | None,
    usual_s: float | None,
    given_s: float | None,
) -> None:
    config = None if program_s is None else {DEADLINE: program_s}
    execution_id = request(world, config=config, deadline_s=request_s, usual_deadline_s=usual_s)
    requested = world.events(execution_id)[0]
    assert isinstance(requested, ExecutionRequested)
    assert requested.deadline == (given_s and NOW + timedelta(seconds=given_s))
    world.clock.at = NOW + timedelta(seconds=2)
    world.do(RunExecution(execution_id=execution_id))
    assert world.engine.left_s == world.alarms.asked == [given_s and given_s - 2]
    assert world.alarms.waiting == []


@pytest.mark.feature("BRG-08")
def test_brg_08_at_the_deadline_it_ends_once_and_what_the_engine_brings_later_is_refused(
    world: World,
) -> None:
    world.runner.asks = ["one", "two"]
    execution_id = request(world, deadline_s=30)

    def goes_on(name: str) -> None:
        if name == "two":
            world.clock.at = NOW + timedelta(seconds=31)
            world.alarms.ring()

    world.runner.during = goes_on
    world.do(RunExecution(execution_id=execution_id))
    *_, ended = world.events(execution_id)
    assert isinstance(ended, ExecutionFailed)
    assert ended.failure.code == "execution.timed_out"
    assert ended.spend.calls == 1
    world.do(RunExecution(execution_id=execution_id))
    world.do(TimeOutExecution(execution_id=execution_id))
    assert world.events(execution_id)[-1] == ended


def test_an_engine_that_gives_up_in_time_says_so_itself(world: World) -> None:
    world.runner.error = TimeIsOver()
    execution_id = request(world, deadline_s=30)
    world.do(RunExecution(execution_id=execution_id))
    *_, ended = world.events(execution_id)
    assert isinstance(ended, ExecutionFailed)
    assert ended.failure.code == "execution.timed_out"
    assert ended.duration_ms is not None


@pytest.mark.parametrize("says", ["engine", "alarm"])
def test_what_was_answered_before_the_time_was_over_is_booked(world: World, says: str) -> None:
    """Calls are written behind: the last one is still in memory when the time is over."""

    def is_over(_: str) -> None:
        world.clock.at = NOW + timedelta(seconds=31)
        if says == "alarm":
            world.alarms.ring()
        raise TimeIsOver

    world.runner.asks, world.runner.after = ["one"], is_over
    execution_id = request(world, deadline_s=30)
    world.do(RunExecution(execution_id=execution_id))
    *_, called, ended = world.events(execution_id)
    assert isinstance(called, ExecutionLmCalled)
    assert isinstance(ended, ExecutionFailed)
    assert (ended.failure.code, ended.spend.calls) == ("execution.timed_out", 1)


def test_what_nobody_took_up_in_time_is_ended_and_never_run(world: World) -> None:
    taken, forgotten = request(world, deadline_s=30), request(world, deadline_s=30)
    for command in (TimeOutExecution(execution_id=taken), TimeOutExecution(execution_id=forgotten)):
        world.do(command)  # before the deadline it changes nothing
    world.clock.at = NOW + timedelta(seconds=30)
    world.do(TimeOutExecution(execution_id=forgotten))
    world.do(RunExecution(execution_id=taken))
    for execution_id in (taken, forgotten):
        kinds = [type(event) for event in world.events(execution_id)]
        assert kinds == [ExecutionRequested, ExecutionFailed]
    assert world.runner.ran == []


@pytest.mark.feature("EXE-03")
def test_a_worker_that_hangs_loses_its_execution_at_the_deadline(world: World) -> None:
    """F-04: nobody reaps it while its session lives; whoever looks after deadlines does."""
    execution_id = request(world, deadline_s=30)

    def hangs(name: str) -> None:
        world.clock.at = NOW + timedelta(minutes=5)
        world.do(TimeOutExecution(execution_id=execution_id))

    world.runner.asks, world.runner.during = ["one"], hangs
    world.do(RunExecution(execution_id=execution_id))
    kinds = [type(event) for event in world.events(execution_id)]
    assert kinds == [ExecutionRequested, ExecutionStarted, ExecutionFailed]
    assert ExecutionCompleted not in kinds


@pytest.mark.parametrize("value", [0, -1, 601, True, "30", None, [30]])
def test_a_program_takes_no_deadline_that_is_none(value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        ConfigureProgram.model_validate({"program_id": uuid4(), "config": {DEADLINE: value}})
    [fault] = refused.value.errors()
    assert fault["type"] == "program.deadline"
    assert fault["msg"] == "A deadline is a number of seconds above 0, and 600 at most."
    assert fault["loc"] == ("config",)
    assert fault["ctx"]["pointer"] == "/deadline_s"
    free = ConfigureProgram.model_validate({"program_id": uuid4(), "config": {"owner": "ann"}})
    assert free.config == {"owner": "ann"}
