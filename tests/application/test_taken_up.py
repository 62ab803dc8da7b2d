"""Executions that are taken up in the append that stores their request."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from application.executions import RequestExecution, RunExecution, TakeUpExecution
from application.lm_ports import JsonObject
from domain.errors import DomainError
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionRouted,
    ExecutionStarted,
)
from domain.routing import Candidate, Strategy
from tests.support.routed_world import RoutedWorld
from tests.support.run_world import CONTEXT, Killed, World

INPUTS: JsonObject = {"message": "It crashes."}


@pytest.fixture
def world() -> World:
    return World()


def wish(world: World, **more: object) -> RequestExecution:
    wished = {"execution_id": uuid4(), "program_id": world.a_program(), "inputs": INPUTS}
    return RequestExecution.model_validate(wished | more)


def taken_up(world: World, **more: object) -> UUID:
    request = wish(world, **more)
    world.do(TakeUpExecution(request=request))
    return request.execution_id


def test_its_request_and_its_start_are_one_append(world: World) -> None:
    request = wish(world)
    before = world.executions.saves
    receipt = world.do(TakeUpExecution(request=request))
    assert world.executions.saves == before + 1
    assert list(map(type, world.events(request.execution_id))) == [
        ExecutionRequested,
        ExecutionStarted,
    ]
    assert (receipt.id, receipt.version) == (request.execution_id, 2)


def test_in_the_log_the_start_follows_from_the_request(world: World) -> None:
    execution_id = taken_up(world)
    requested, started = world.executions.log.stream(execution_id)
    assert (requested.envelope.command, started.envelope.command) == (
        RequestExecution.__name__,
        RunExecution.__name__,
    )
    assert requested.envelope.causation_id is None
    assert started.envelope.causation_id == requested.envelope.event_id
    assert started.envelope.command_id != requested.envelope.command_id


def test_it_goes_on_from_there_without_another_start(world: World) -> None:
    world.runner.asks = ["one"]
    execution_id = taken_up(world)
    world.do(RunExecution(execution_id=execution_id))
    assert [type(event) for event in world.events(execution_id)][1:] == [
        ExecutionStarted,
        ExecutionLmCalled,
        ExecutionCompleted,
    ]
    [(_, inputs)] = world.runner.ran
    assert inputs == {"message": "It crashes.", "hint": None}


def test_the_program_sees_its_inputs_in_the_order_in_which_they_are_stored(world: World) -> None:
    ran = []
    for take in (True, False):
        request = wish(world, inputs={"message": "It crashes.", "hint": "b"})
        world.do(TakeUpExecution(request=request) if take else request)
        world.do(RunExecution(execution_id=request.execution_id))
        ran.append(list(world.runner.ran[-1][1]))
    assert ran[0] == ran[1]


def test_what_its_process_had_at_hand_dies_with_it_and_another_one_goes_on(world: World) -> None:
    world.runner.asks = ["one", "two"]

    def die(name: str) -> None:
        if name == "one":
            raise Killed

    world.runner.after = die
    execution_id = taken_up(world)
    with pytest.raises(Killed):
        world.do(RunExecution(execution_id=execution_id))
    world.runner.after = lambda _: None
    world.do(RunExecution(execution_id=execution_id))
    kinds = [type(event) for event in world.events(execution_id)]
    assert kinds.count(ExecutionStarted) == 2
    assert kinds.count(ExecutionLmCalled) == 2
    assert world.runner.made == ["one", "two"]


def test_a_repeat_of_a_keyed_request_is_not_taken_up_again(world: World) -> None:
    request = wish(world)
    keyed = replace(CONTEXT, command_id="key", fingerprint=request.fingerprint)
    first = world.do(TakeUpExecution(request=request), keyed)
    again = world.do(TakeUpExecution(request=request), keyed)
    assert (again, first.is_repeat, again.is_repeat) == (first, False, True)
    world.do(RunExecution(execution_id=request.execution_id))
    kinds = [type(event) for event in world.events(request.execution_id)]
    assert kinds.count(ExecutionStarted) == 1


def routed_world(*candidates: Candidate) -> tuple[RoutedWorld, RequestExecution]:
    world = RoutedWorld()
    world.register(name="mini", kind="local", models=[{"name": "small", "max_tokens": 10}])
    world.route(Strategy.FALLBACK, *candidates)
    return world, wish(world, program_id=world.program, model="route:ours")


def test_which_model_answers_is_chosen_in_the_same_append() -> None:
    world, request = routed_world(Candidate(model="mini/small"))
    world.do(TakeUpExecution(request=request))
    assert [type(event) for event in world.events(request.execution_id)] == [
        ExecutionRequested,
        ExecutionStarted,
        ExecutionRouted,
    ]
    world.do(RunExecution(execution_id=request.execution_id))
    assert [model and model.name for model in world.engine.models] == ["local:small"]


def test_one_that_no_model_may_answer_ends_as_it_would_later() -> None:
    world, request = routed_world(Candidate(model="mini/small", input_size_max=10))
    world.do(TakeUpExecution(request=request))
    kinds = [type(event) for event in world.events(request.execution_id)]
    assert kinds == [ExecutionRequested, ExecutionStarted, ExecutionFailed]
    before = world.executions.saves
    world.do(RunExecution(execution_id=request.execution_id))
    assert world.executions.saves == before


def test_one_that_is_refused_leaves_nothing_behind(world: World) -> None:
    request = wish(world, inputs={"nonsense": 1})
    with pytest.raises(DomainError):
        world.do(TakeUpExecution(request=request))
    assert world.events(request.execution_id) == []
