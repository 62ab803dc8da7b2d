"""Answers in another form, from the wish to the verdict of the replay, whatever is set by then."""

from uuid import UUID, uuid4

import pytest
from dspy import lm15

from application.executions import RequestExecution, RunExecution
from application.replays import RequestReplay, RunReplay
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ReplayVerified,
)
from domain.values import AS_DSPY, Reading
from tests.support.dspy_programs import FakeEngine, bound, engine_on, single
from tests.support.run_world import World

CAREFUL = Reading(repair=True, feedback=1)
GOOD = "[[ ## answer ## ]]\nbecause\n\n[[ ## completed ## ]]"


class Saying(FakeEngine):
    """Says one of *answers* after the other."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self._answers = list(answers)

    def answer(self, request: lm15.Request) -> str:
        return self._answers.pop(0)


def executed(world: World, reading: Reading, *answers: str) -> UUID:
    """An execution whose model said *answers*, and read them by *reading*."""
    world.reading = reading
    world.bus = world.bus_with(engine_on(bound(Saying(*answers))))
    program_id, execution_id = world.a_program(single().graph), uuid4()
    inputs = {"question": "Why?"}
    world.do(RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs))
    world.do(RunExecution(execution_id=execution_id))
    return execution_id


def verdict(world: World, execution_id: UUID, reading: Reading) -> object:
    """What a replay says of it, by workers that read by *reading* and ask nobody."""
    world.reading = reading
    world.bus = world.bus_with(engine_on(bound(Saying())))
    world.do(RequestReplay(execution_id=execution_id))
    world.do(RunReplay(execution_id=execution_id, replay=1))
    return world.events(execution_id)[-1]


@pytest.mark.parametrize(
    ("reading", "answers", "calls"),
    [
        (CAREFUL, [GOOD], 1),
        (CAREFUL, ['{"answer": "because"}'], 1),
        (CAREFUL, ["hm", GOOD], 2),
        (CAREFUL, ["hm", "hm again", '{"answer": "because"}'], 3),
        (AS_DSPY, ['{"answer": "never read"}', '{"answer": "because"}'], 2),
    ],
)
@pytest.mark.parametrize("later", [AS_DSPY, CAREFUL, Reading(repair=True, feedback=3)])
@pytest.mark.feature("BRG-15")
def test_brg_15_each_step_that_helped_is_on_record_and_replays_as_it_was(
    reading: Reading, answers: list[str], calls: int, later: Reading
) -> None:
    world = World()
    execution_id = executed(world, reading, *answers)
    events = world.events(execution_id)
    assert isinstance(events[-1], ExecutionCompleted)
    assert world.stored({"answer": "because"})
    assert sum(isinstance(event, ExecutionLmCalled) for event in events) == calls
    told = verdict(world, execution_id, later)
    assert isinstance(told, ReplayVerified)
    assert told.answered_from_log == calls


@pytest.mark.parametrize(
    ("reading", "answers"),
    [(CAREFUL, ["hm", "still", "no"]), (AS_DSPY, ['{"answer": "a"', "no"])],
)
@pytest.mark.feature("BRG-15")
def test_brg_15_a_failure_says_what_was_wrong_and_fails_alike_in_its_replay(
    reading: Reading, answers: list[str]
) -> None:
    world = World()
    execution_id = executed(world, reading, *answers)
    failed = world.events(execution_id)[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.failure.code == "output.unparseable"
    assert "`answer` is missing" in failed.failure.message
    assert failed.spend.calls == len(answers)
    assert isinstance(verdict(world, execution_id, CAREFUL), ReplayVerified)
