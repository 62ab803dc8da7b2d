"""What becomes of the calls that records make, whoever dies meanwhile and whatever comes twice."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.bindings import PauseBinding, ResumeBinding
from application.calls import FollowCall
from application.commands import Command
from application.errors import StoreIsUnavailable
from application.executions import CancelExecution, RunExecution
from application.lm_ports import ProgramFailed
from application.records import DeleteRecord, RepeatCall, UpdateRecord
from domain.binding.errors import BindingIsPaused
from domain.binding.values import Constant, FromRecord, Trigger
from domain.errors import StaleVersion
from domain.execution.aggregate import Execution
from domain.execution.events import ExecutionCompleted, ExecutionRequested
from domain.execution.values import Caller
from domain.record.errors import CallHasNotFailed
from domain.record.events import RecordCallFailed, RecordCreated, RecordUpdated
from domain.values import Failure
from tests.support.bound import BoundWorld
from tests.support.memory import NOW
from tests.support.run_world import Killed


@pytest.fixture
def world() -> BoundWorld:
    return BoundWorld()


def call_of(world: BoundWorld, record_id: UUID) -> FollowCall:
    """What follows the one call that a record made when it was created."""
    created = world.events(record_id)[0]
    assert isinstance(created, RecordCreated)
    (call,) = created.calls
    return FollowCall(record_id=record_id, execution_id=call.execution_id)


def topics(world: BoundWorld, id: UUID) -> list[str]:
    return [event.TOPIC for event in world.events(id)]


def failure_of(world: BoundWorld, record_id: UUID) -> Failure:
    """Why the last thing that happened to a record is that a call failed."""
    failed = world.events(record_id)[-1]
    assert isinstance(failed, RecordCallFailed)
    return failed.failure


@pytest.mark.feature("VIS-02")
def test_vis_02_a_program_bound_to_creation_runs_once_and_its_outputs_are_stored(
    world: BoundWorld,
) -> None:
    world.runner.asks = ["sort"]
    binding_id = world.bind(
        inputs={"message": FromRecord(pointer="/text"), "hint": Constant(value="h")}
    )
    record_id = world.a_record()
    call = call_of(world, record_id)
    assert world.runner.made == []  # the record is there before any model is asked
    world.work()
    assert world.data(record_id) == {"text": "It crashes.", "queue": "bug"}
    assert [inputs for _, inputs in world.runner.ran] == [{"message": "It crashes.", "hint": "h"}]
    updated = world.events(record_id)[1]
    assert isinstance(updated, RecordUpdated)
    assert updated.answer is not None
    assert (updated.answer.execution_id, updated.answer.binding_id) == (
        call.execution_id,
        binding_id,
    )
    assert updated.changed == ("queue",)
    requested, *_, completed = world.events(call.execution_id)
    assert isinstance(requested, ExecutionRequested)
    assert isinstance(completed, ExecutionCompleted)
    assert requested.caller == completed.caller == Caller(kind="record", id=record_id)
    assert (updated.answer.program_id, updated.answer.program_version) == (
        requested.program_id,
        requested.program_version,
    )


@pytest.mark.feature("VIS-09")
def test_vis_09_whatever_is_told_again_runs_nothing_again(world: BoundWorld) -> None:
    world.runner.asks = ["sort"]
    world.bind()
    record_id = world.a_record()
    world.work()
    log = list(world.log.recorded)
    world.react()
    assert world.log.recorded == log
    assert world.runner.made == ["sort"]
    assert topics(world, record_id) == ["record.created", "record.updated"]


Step = tuple[int, bool]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12),
    st.integers(0, 3),
)
def test_in_any_order_twice_or_lost_each_call_is_answered_once(
    steps: Sequence[Step], deaths: int
) -> None:
    world = BoundWorld()
    world.runner.asks = ["sort"]
    world.bind("first")
    world.bind("second", outputs={"other": "queue"})
    record_id = world.a_record()
    waiting: list[Command] = []
    for which, is_again in steps:
        waiting += world.due()
        if waiting:
            command = waiting[which % len(waiting)]
            if not is_again:
                waiting.remove(command)
            _do(world, command, dies=deaths > 0)
            deaths -= 1
    for _ in range(4):  # the sweep queues again what the log says is due
        for open_call in list(world.record(record_id).open.values()):
            execution_id = open_call.call.execution_id
            world.do(FollowCall(record_id=record_id, execution_id=execution_id))
            world.do(RunExecution(execution_id=execution_id))
    assert world.data(record_id) == {"text": "It crashes.", "queue": "bug", "other": "bug"}
    assert topics(world, record_id) == ["record.created", "record.updated", "record.updated"]


def _do(world: BoundWorld, command: Command, *, dies: bool) -> None:
    """Carry *command* out; if it *dies*, it is killed where it would write first."""

    def die(_: object) -> None:
        raise Killed

    world.records.before_save = world.executions.before_save = die if dies else None
    try:
        world.do(command)
    except Killed:
        pass
    finally:
        world.records.before_save = world.executions.before_save = None


def test_what_cannot_be_asked_for_is_told_to_the_record(world: BoundWorld) -> None:
    world.bind()
    record_id = world.a_record({"text": ["Ada Lovelace"]})
    other = world.a_record({"title": "No text."})
    world.work()
    failure = failure_of(world, record_id)
    assert failure.code == "values.invalid"
    assert "/inputs/message (value.invalid)" in failure.message
    assert "Lovelace" not in failure.message  # what people wrote is in no event
    missing = failure_of(world, other)
    assert missing.code == "values.invalid"
    assert "/inputs/message" in missing.message
    assert world.data(other) == {"title": "No text."}
    assert world.record(other).open == {}
    assert world.runner.ran == []


def test_a_program_that_was_retired_since_is_told_to_the_record(world: BoundWorld) -> None:
    program_id = world.a_program()
    world.bind(program_id=program_id)
    record_id = world.a_record()
    world.change_program(program_id, lambda it: it.retire("old", at=NOW))
    world.work()
    assert failure_of(world, record_id).code == "program.action_not_allowed"


def test_a_run_that_fails_is_told_to_the_record_without_secrets(world: BoundWorld) -> None:
    world.bind()
    world.runner.error = ProgramFailed(Failure(code="program.failed", message="api_key=abc123"))
    record_id = world.a_record()
    world.work()
    failure = failure_of(world, record_id)
    assert (failure.code, failure.message) == ("program.failed", "api_key=[redacted]")
    assert world.data(record_id) == {"text": "It crashes."}


def test_what_failed_is_repeated_as_it_is_bound_now(world: BoundWorld) -> None:
    binding_id = world.bind()
    world.runner.error = ProgramFailed(Failure(code="program.failed", message="It failed."))
    record_id = world.a_record()
    failed = call_of(world, record_id).execution_id
    world.work()
    world.runner.error = None
    again = RepeatCall(record_id=record_id, resource="ticket", execution_id=failed)
    world.do(PauseBinding(binding_id=binding_id))
    with pytest.raises(BindingIsPaused):
        world.do(again)
    world.do(ResumeBinding(binding_id=binding_id))
    with pytest.raises(StaleVersion):
        world.do(again.model_copy(update={"expected_version": 1}))
    world.do(again)
    world.work()
    assert world.data(record_id) == {"text": "It crashes.", "queue": "bug"}
    assert topics(world, record_id)[2:] == ["record.call_repeated", "record.updated"]
    with pytest.raises(CallHasNotFailed):
        world.do(again)


def test_a_run_that_is_cancelled_is_told_to_the_record(world: BoundWorld) -> None:
    world.bind()
    record_id = world.a_record()
    call = call_of(world, record_id)
    world.do(call)
    world.do(call)  # its run has not ended
    world.do(CancelExecution(execution_id=call.execution_id))
    world.work()
    assert failure_of(world, record_id).code == "execution.cancelled"


def test_an_answer_that_is_too_large_is_told_to_the_record(world: BoundWorld) -> None:
    world.bind()
    world.runner.outputs = {"queue": "x" * (1024 * 1024)}
    record_id = world.a_record()
    world.work()
    assert failure_of(world, record_id).code == "record.invalid"


def test_a_record_that_was_deleted_gets_no_answer(world: BoundWorld) -> None:
    world.bind()
    record_id = world.a_record()
    world.do(call_of(world, record_id))
    world.do(DeleteRecord(record_id=record_id, resource="ticket"))
    world.work()
    assert topics(world, record_id) == ["record.created", "record.call_failed", "record.deleted"]


def test_an_answer_leaves_alone_what_was_written_meanwhile(world: BoundWorld) -> None:
    world.bind()
    record_id = world.a_record()
    world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"text": "Never mind."}))
    world.work()
    assert [inputs["message"] for _, inputs in world.runner.ran] == ["It crashes."]
    assert world.data(record_id) == {"text": "Never mind.", "queue": "bug"}


def test_what_is_away_for_a_moment_is_no_failure(world: BoundWorld) -> None:
    world.bind()
    record_id = world.a_record()

    def away(_: Execution) -> None:
        raise StoreIsUnavailable("it rests")

    world.executions.before_save = away
    with pytest.raises(StoreIsUnavailable):
        world.do(call_of(world, record_id))
    world.executions.before_save = None
    world.work()
    assert world.data(record_id) == {"text": "It crashes.", "queue": "bug"}


def test_a_twin_that_was_faster_leaves_nothing_to_store(world: BoundWorld) -> None:
    world.bind()
    record_id = world.a_record()
    call = call_of(world, record_id)
    world.do(call)
    world.do(RunExecution(execution_id=call.execution_id))

    def twin(_: object) -> None:
        world.records.before_save = None
        world.do(call)

    world.records.before_save = twin
    assert world.do(call).position == 0
    assert topics(world, record_id) == ["record.created", "record.updated"]


def ping_pong(world: BoundWorld) -> tuple[UUID, UUID]:
    """Two programs bound to what the other one changes."""
    bound: dict[str, Any] = {"action": Trigger.UPDATE, "program_id": world.a_program()}
    ping = world.bind("ping", changed=("text", "pong"), outputs={"ping": "queue"}, **bound)
    pong = world.bind("pong", changed=("ping",), outputs={"pong": "queue"}, **bound)
    return ping, pong


def test_no_binding_calls_itself_and_no_chain_goes_round(world: BoundWorld) -> None:
    ping, pong = ping_pong(world)
    record_id = world.a_record()
    world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"text": "It burns."}))
    world.work()
    assert len(world.runner.ran) == 2
    assert world.data(record_id) == {"text": "It burns.", "ping": "bug", "pong": "bug"}
    *_, last = world.events(record_id)
    assert isinstance(last, RecordCallFailed)
    assert (last.call.binding_id, last.call.chain) == (ping, (ping, pong))
    assert last.failure.code == "record.chain_ended"


def test_a_binding_to_every_update_is_not_called_by_its_own_answer(world: BoundWorld) -> None:
    world.bind(action=Trigger.UPDATE)
    record_id = world.a_record()
    world.do(UpdateRecord(record_id=record_id, resource="ticket", patch={"text": "It burns."}))
    world.work()
    assert topics(world, record_id) == ["record.created", "record.updated", "record.updated"]


def test_an_answer_that_changes_nothing_calls_nothing(world: BoundWorld) -> None:
    world.bind("first")
    world.bind("then", action=Trigger.UPDATE, outputs={"other": "queue"})
    record_id = world.a_record({"text": "It crashes.", "queue": "bug"})
    world.work()
    assert len(world.runner.ran) == 1
    assert world.record(record_id).open == {}


def test_executions_of_nobody_tell_nobody(world: BoundWorld) -> None:
    assert world.do(FollowCall(record_id=world.a_record(), execution_id=uuid4())).position == 0
