"""Executions from the wish to the end, through every kind of death."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from application.attempts import RunInterrupted
from application.context import within
from application.errors import AggregateNotFound, StoreIsUnavailable
from application.executions import CancelExecution, RequestExecution, RunExecution
from application.lm_ports import ProgramFailed, RunStopped
from application.payloads import Payload
from application.ports import Receipt
from domain.errors import StaleVersion
from domain.execution.aggregate import Execution
from domain.execution.errors import ExecutionForbids
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
)
from domain.program.errors import ActionIsNotAllowed, ProgramVersionNotFound
from domain.run import ActionForbidden
from domain.signature.errors import ValuesDoNotFit
from domain.values import Failure, PayloadRef
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, Killed, World
from tests.support.runs import BROKEN, OVERLOADED, answered, ref, refused


@pytest.fixture
def world() -> World:
    return World()


def request(world: World, program_id: UUID | None = None) -> UUID:
    execution_id = uuid4()
    program_id = program_id or world.a_program()
    inputs = {"message": "It crashes."}
    world.do(RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs))
    return execution_id


def run(world: World, execution_id: UUID) -> Receipt:
    return world.do(RunExecution(execution_id=execution_id))


def last_failure(world: World, execution_id: UUID) -> Failure:
    event = world.events(execution_id)[-1]
    assert isinstance(event, ExecutionFailed)
    return event.failure


@pytest.mark.feature("EXE-04")
def test_exe_04_a_request_stores_the_inputs_beside_the_fact(world: World) -> None:
    program_id = world.a_program()
    execution_id = request(world, program_id)
    inputs = Payload.of({"message": "It crashes.", "hint": None})
    assert world.events(execution_id) == [
        ExecutionRequested(program_id=program_id, program_version=1, inputs=inputs.ref)
    ]
    assert world.stored({"message": "It crashes.", "hint": None})


def compiled(world: World, program_id: UUID, state: PayloadRef) -> None:
    world.change_program(
        program_id,
        lambda program: program.compile(
            base_version=1,
            optimization_id=uuid4(),
            optimizer="mipro",
            state=state,
            training_score=None,
            at=NOW,
        ),
    )


def test_without_a_version_the_latest_runs_until_one_is_deployed(world: World) -> None:
    program_id = world.a_program()
    compiled(world, program_id, ref("state"))
    latest = world.events(request(world, program_id))[0]
    assert isinstance(latest, ExecutionRequested)
    assert latest.program_version == 2
    world.change_program(program_id, lambda it: it.deploy(1, "safer", (), at=NOW))
    deployed = world.events(request(world, program_id))[0]
    assert isinstance(deployed, ExecutionRequested)
    assert deployed.program_version == 1


def test_a_named_version_runs_and_an_unknown_one_is_refused(world: World) -> None:
    program_id, inputs = world.a_program(), {"message": "hi"}
    wish = RequestExecution(
        execution_id=uuid4(), program_id=program_id, program_version=1, inputs=inputs
    )
    world.do(wish)
    with pytest.raises(ProgramVersionNotFound):
        world.do(wish.model_copy(update={"program_version": 2, "execution_id": uuid4()}))


@pytest.mark.feature("PRG-09")
def test_prg_09_a_retired_program_cannot_execute(world: World) -> None:
    program_id = world.a_program()
    world.change_program(program_id, lambda it: it.retire("old", at=NOW))
    with pytest.raises(ActionIsNotAllowed):
        request(world, program_id)
    assert len(world.log.recorded) == 2


@pytest.mark.feature("EXE-01")
def test_exe_01_bad_inputs_are_refused_and_nothing_is_stored(world: World) -> None:
    program_id = world.a_program()
    with pytest.raises(ValuesDoNotFit) as refusal:
        world.do(
            RequestExecution(execution_id=uuid4(), program_id=program_id, inputs={"massage": "x"})
        )
    assert all(fault.pointer.startswith("/inputs") for fault in refusal.value.faults)
    assert len(world.log.recorded) == 1


def test_an_unknown_program_is_not_found(world: World) -> None:
    with pytest.raises(AggregateNotFound):
        request(world, uuid4())


@pytest.mark.feature("EXE-01")
@pytest.mark.feature("EXE-06")
def test_exe_01_a_completed_run_has_outputs_duration_and_spend(world: World) -> None:
    world.runner.asks = ["one", "two"]
    execution_id = request(world)
    run(world, execution_id)
    requested, started, one, two, completed = world.events(execution_id)
    assert isinstance(requested, ExecutionRequested)
    assert started == ExecutionStarted(attempt=1, worker="worker-1")
    assert one == ExecutionLmCalled(call=answered("one")[0])
    assert two == ExecutionLmCalled(call=answered("two")[0])
    assert isinstance(completed, ExecutionCompleted)
    assert completed.outputs == Payload.of({"queue": "bug"}).ref
    assert completed.duration_ms == 250
    assert completed.spend.total_tokens == 14
    for text in ({"queue": "bug"}, {"ask": "one"}, {"say": "two"}):
        assert world.stored(text)
    assert world.runner.ran[0][1] == {"message": "It crashes.", "hint": None}


def test_the_last_call_shares_its_append_with_the_end(world: World) -> None:
    world.runner.asks = ["one"]
    execution_id = request(world)
    run(world, execution_id)
    assert world.executions.saves == 3  # requested; started; called and completed


def test_a_compiled_version_runs_with_its_state(world: World) -> None:
    program_id = world.a_program()
    state = Payload.of({"answer": {"demos": []}})
    world.payloads.keep(CONTEXT.tenant, [state])
    compiled(world, program_id, state.ref)
    run(world, request(world, program_id))
    program, _ = world.runner.ran[0]
    assert program.key == f"{program_id}@2"
    assert program.state == {"answer": {"demos": []}}


def test_an_erased_state_ends_the_run_as_failed(world: World) -> None:
    program_id = world.a_program()
    compiled(world, program_id, ref("gone"))
    execution_id = request(world, program_id)
    run(world, execution_id)
    assert last_failure(world, execution_id).code == "payload.missing"


def test_a_duplicate_delivery_of_an_ended_run_changes_nothing(world: World) -> None:
    world.runner.asks = ["one"]
    execution_id = request(world)
    run(world, execution_id)
    before = world.events(execution_id)
    assert run(world, execution_id) == Receipt(execution_id, len(before), 0)
    assert world.events(execution_id) == before
    assert world.runner.made == ["one"]


@pytest.mark.feature("EXE-07")
def test_exe_07_a_failure_is_typed_and_holds_no_secret(world: World) -> None:
    failure = Failure(
        code="model.auth_refused",
        message='{"error": "Incorrect API key provided: sk-proj-abcdefgh12345678."}',
        retryable=False,
        provider_status=401,
    )
    world.runner.asks, world.runner.error = ["one"], ProgramFailed(failure)
    execution_id = request(world)
    run(world, execution_id)
    found = last_failure(world, execution_id)
    assert (found.code, found.provider_status) == ("model.auth_refused", 401)
    assert "sk-proj" not in found.message
    assert "[redacted]" in found.message
    failed = world.events(execution_id)[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.duration_ms == 250
    assert failed.spend.calls == 1


POINTS = [(point, number) for number in range(1, 5) for point in ("during", "after", "before_save")]


@pytest.mark.feature("EXE-03")
@pytest.mark.parametrize(("point", "number"), POINTS)
def test_f_01_a_kill_anywhere_ends_in_one_end_and_repeats_at_most_one_call(
    world: World, point: str, number: int
) -> None:
    world.runner.asks = [f"call {each}" for each in range(1, 5)]
    execution_id = request(world)

    def die(_: object = None) -> None:
        world.executions.before_save = die  # a dead process writes nothing more
        raise Killed

    def die_at(name: str) -> None:
        if name == f"call {number}":
            die()

    if point == "before_save":
        saves = world.executions.saves + number
        world.executions.before_save = lambda _: die() if world.executions.saves == saves else None
    else:
        setattr(world.runner, point, die_at)
    with pytest.raises(Killed):
        run(world, execution_id)
    world.executions.before_save = None
    world.runner.during = world.runner.after = lambda _: None

    run(world, execution_id)
    ends = [event for event in world.events(execution_id) if isinstance(event, ExecutionCompleted)]
    assert len(ends) == 1
    assert world.events(execution_id)[-1] is ends[0]
    assert len(world.runner.made) <= 5
    assert ends[0].spend.calls == 4
    calls = [event for event in world.events(execution_id) if isinstance(event, ExecutionLmCalled)]
    assert len({event.call.key for event in calls}) == len(calls) == 4


def test_a_worker_that_dies_each_time_is_given_up(world: World) -> None:
    def die(_: str) -> None:
        raise Killed

    world.runner.asks, world.runner.during = ["one"], die
    execution_id = request(world)
    for _ in range(3):
        with pytest.raises(Killed):
            run(world, execution_id)
    run(world, execution_id)
    assert last_failure(world, execution_id).code == "execution.worker_lost"
    assert world.runner.made == ["one"] * 3


def test_what_was_paid_for_is_booked_though_the_worker_crashes(world: World) -> None:
    world.runner.asks, world.runner.error = ["one"], ZeroDivisionError("a bug")
    execution_id = request(world)
    with pytest.raises(ZeroDivisionError):
        run(world, execution_id)
    assert isinstance(world.events(execution_id)[-1], ExecutionLmCalled)
    world.runner.error = None
    run(world, execution_id)
    assert world.runner.made == ["one"]


def test_a_cancelled_run_stops_at_its_next_call_and_stays_cancelled(world: World) -> None:
    world.runner.asks = ["one", "two", "three"]
    execution_id = request(world)

    def cancel(name: str) -> None:
        if name == "one":
            world.do(CancelExecution(execution_id=execution_id, reason="enough"))

    world.runner.during = cancel
    run(world, execution_id)
    assert world.events(execution_id)[-1] == ExecutionCancelled(reason="enough")
    assert world.runner.made == ["one"]


def test_f_04_a_zombie_is_fenced_off_and_what_it_brings_is_refused(world: World) -> None:
    world.runner.asks = ["one", "two"]
    execution_id = request(world)

    def take_over(_: str) -> None:
        world.runner.during = lambda _: None
        run(world, execution_id)

    world.runner.during = take_over
    run(world, execution_id)
    events = world.events(execution_id)
    assert [event.attempt for event in events if isinstance(event, ExecutionStarted)] == [1, 2]
    assert sum(isinstance(event, ExecutionCompleted) for event in events) == 1
    assert sum(isinstance(event, ExecutionLmCalled) for event in events) == 2


def test_f_04_a_zombie_that_brings_only_its_end_is_refused_too(world: World) -> None:
    execution_id = request(world)
    taken = False

    def take_over(execution: Execution) -> None:
        nonlocal taken
        if execution.status.is_terminal and not taken:
            taken = True
            run(world, execution_id)

    world.executions.before_save = take_over
    run(world, execution_id)
    ends = [e for e in world.events(execution_id) if isinstance(e, ExecutionCompleted)]
    assert len(ends) == 1


@pytest.mark.parametrize("asks", [[], ["one"], ["one", "two"]])
def test_f_04_a_zombie_writes_nothing_while_another_attempt_is_under_way(
    world: World, asks: list[str]
) -> None:
    world.runner.asks = asks
    execution_id = request(world)

    def take_over(execution: Execution) -> None:
        if execution.attempt and execution.version > 2:
            world.executions.before_save = None
            with within(CONTEXT):
                other = world.executions.get(execution_id)
                other.start("worker-2", at=NOW)
                world.executions.save(other)

    world.executions.before_save = take_over
    assert run(world, execution_id).position == 0
    assert world.events(execution_id)[1:] == [
        ExecutionStarted(attempt=1, worker="worker-1"),
        ExecutionStarted(attempt=2, worker="worker-2"),
    ]


def test_twins_of_a_delivery_do_not_both_take_the_run_up(world: World) -> None:
    execution_id = request(world)

    def twin(_: Execution) -> None:
        world.executions.before_save = None
        run(world, execution_id)

    world.executions.before_save = twin
    receipt = run(world, execution_id)
    assert receipt.position == 0
    assert len(world.runner.ran) == 1


def test_the_last_words_of_a_zombie_do_not_keep_a_run_from_being_taken_up(world: World) -> None:
    world.runner.error = RunStopped(OVERLOADED)
    execution_id = request(world)
    with pytest.raises(RunInterrupted):
        run(world, execution_id)
    world.runner.error = None

    def book(_: Execution) -> None:
        world.executions.before_save = None
        with within(CONTEXT):
            zombie = world.executions.get(execution_id)
            zombie.record_call(answered("late")[0], at=NOW)
            world.executions.save(zombie)

    world.executions.before_save = book
    run(world, execution_id)
    assert [event.TOPIC for event in world.events(execution_id)] == [
        "execution.requested",
        "execution.started",
        "execution.lm_called",
        "execution.started",
        "execution.completed",
    ]


def test_a_run_cancelled_while_it_is_taken_up_is_not_run(world: World) -> None:
    execution_id = request(world)

    def cancel(_: Execution) -> None:
        world.executions.before_save = None
        world.do(CancelExecution(execution_id=execution_id))

    world.executions.before_save = cancel
    assert run(world, execution_id).position == 0
    assert world.runner.ran == []


def test_an_unavailable_store_interrupts_the_run_which_goes_on_later(world: World) -> None:
    world.runner.asks = ["one", "two"]
    execution_id = request(world)

    def refuse(execution: Execution) -> None:
        if execution.answers:
            world.executions.before_save = None
            raise StoreIsUnavailable("restarting")

    world.executions.before_save = refuse
    with pytest.raises(RunInterrupted, match="goes on later: The event store") as interrupted:
        run(world, execution_id)
    assert interrupted.value.failure.code == "store.unavailable"
    run(world, execution_id)
    assert isinstance(world.events(execution_id)[-1], ExecutionCompleted)


def test_the_last_interruption_ends_the_run_with_its_reason(world: World) -> None:
    world.runner.error = RunStopped(OVERLOADED)
    execution_id = request(world)
    for _ in range(2):
        with pytest.raises(RunInterrupted):
            run(world, execution_id)
    run(world, execution_id)
    assert last_failure(world, execution_id) == OVERLOADED


def test_a_stop_for_good_ends_the_run_at_once(world: World) -> None:
    world.runner.error = RunStopped(BROKEN)
    execution_id = request(world)
    run(world, execution_id)
    assert last_failure(world, execution_id) == BROKEN


def test_a_run_cancelled_at_the_very_end_stays_cancelled(world: World) -> None:
    world.runner.error = RunStopped(BROKEN)
    execution_id = request(world)

    def cancel(execution: Execution) -> None:
        if execution.failure is not None:
            world.executions.before_save = None
            world.do(CancelExecution(execution_id=execution_id))

    world.executions.before_save = cancel
    assert run(world, execution_id).position == 0
    assert isinstance(world.events(execution_id)[-1], ExecutionCancelled)


def test_a_run_saves_more_than_once_even_for_a_command_with_a_key(world: World) -> None:
    world.runner.asks = ["one"]
    execution_id = request(world)
    context = replace(CONTEXT, command_id="job-1", fingerprint="f")
    world.do(RunExecution(execution_id=execution_id), context)
    assert isinstance(world.events(execution_id)[-1], ExecutionCompleted)


def test_a_refused_call_and_the_failure_it_causes_share_an_append(world: World) -> None:
    call, asked, _ = refused("one", "Bearer abcdefghijkl was refused.")
    execution_id = request(world)

    def record(program: object, inputs: object, journal: object, *, live: bool) -> object:
        journal.record(call, asked, None)  # type: ignore[attr-defined]
        raise ProgramFailed(OVERLOADED)

    world.runner.run = record  # type: ignore[assignment, method-assign]
    run(world, execution_id)
    booked = world.events(execution_id)[-2]
    assert isinstance(booked, ExecutionLmCalled)
    assert booked.call.failure is not None
    assert "abcdefgh" not in booked.call.failure.message
    assert world.executions.saves == 3


def test_a_pending_execution_can_be_cancelled(world: World) -> None:
    execution_id = request(world)
    world.do(CancelExecution(execution_id=execution_id, expected_version=1))
    assert world.events(execution_id)[-1] == ExecutionCancelled(reason="No reason was given.")
    with pytest.raises(ExecutionForbids):
        world.do(CancelExecution(execution_id=execution_id))


def test_a_stale_wish_to_cancel_is_refused(world: World) -> None:
    execution_id = request(world)
    with pytest.raises(StaleVersion):
        world.do(CancelExecution(execution_id=execution_id, expected_version=2))


def test_a_cancellation_insists_when_the_run_goes_on_meanwhile(world: World) -> None:
    world.runner.asks = ["one"]
    execution_id = request(world)
    moved = False

    def move(_: Execution) -> None:
        nonlocal moved
        if not moved:
            moved = True
            run(world, execution_id)

    world.executions.before_save = move
    with pytest.raises(ActionForbidden):
        world.do(CancelExecution(execution_id=execution_id))


@pytest.mark.feature("EXE-05")
def test_exe_05_a_request_is_followed_by_its_run(world: World) -> None:
    execution_id = request(world)
    world.react()
    assert isinstance(world.events(execution_id)[-1], ExecutionCompleted)


@pytest.mark.parametrize("streamed", [True, False])
def test_only_who_asked_to_follow_a_run_closely_has_it_told(world: World, streamed: bool) -> None:
    execution_id, program_id = uuid4(), world.a_program()
    inputs = {"message": "It crashes."}
    wish = RequestExecution(
        execution_id=execution_id, program_id=program_id, inputs=inputs, streamed=streamed
    )
    world.do(wish)
    requested = world.events(execution_id)[0]
    assert isinstance(requested, ExecutionRequested)
    assert requested.streamed is streamed
    run(world, execution_id)
    assert (execution_id in world.audiences) is streamed
