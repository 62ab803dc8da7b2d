"""The log misses no run, and counts none twice."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID, uuid4

import pytest

from application.executions import CancelExecution, RequestExecution, RunExecution
from application.lm_ports import ProgramFailed
from domain.execution.events import ExecutionCancelled, ExecutionCompleted, ExecutionFailed
from tests.support.run_world import World
from tests.support.runs import BROKEN

ENDS = {ExecutionCompleted.TOPIC: 13, ExecutionFailed.TOPIC: 8, ExecutionCancelled.TOPIC: 4}


def requested(world: World, count: int) -> Iterable[UUID]:
    program_id = world.a_program()
    for _ in range(count):
        execution_id, inputs = uuid4(), {"message": "It crashes."}
        world.do(RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs))
        yield execution_id


@pytest.mark.feature("VIS-15")
def test_vis_15_n_executions_are_n_requests_and_n_ends() -> None:
    world, wanted = World(), [topic for topic, times in ENDS.items() for _ in range(times)]
    for execution_id, end in zip(requested(world, len(wanted)), wanted, strict=True):
        world.runner.error = ProgramFailed(BROKEN) if end == ExecutionFailed.TOPIC else None
        if end == ExecutionCancelled.TOPIC:
            world.do(CancelExecution(execution_id=execution_id))
        for _ in range(2):  # a queue may deliver twice
            world.do(RunExecution(execution_id=execution_id))
    counted = Counter(recorded.event.TOPIC for recorded in world.log.recorded)
    assert counted["execution.requested"] == len(wanted)
    assert {topic: counted[topic] for topic in ENDS} == ENDS
