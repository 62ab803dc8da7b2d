"""Replays: the log alone has to tell what happened."""

from uuid import UUID, uuid4

import pytest

from application.attempts import RunInterrupted
from application.executions import RequestExecution, RunExecution
from application.lm_ports import (
    CallJournal,
    JsonObject,
    ProgramFailed,
    RunStopped,
    TimeIsOver,
)
from application.payloads import Payload
from application.replays import RequestReplay, RunReplay
from domain.errors import StaleVersion
from domain.execution.aggregate import Execution
from domain.execution.errors import ExecutionForbids, ReplayNotFound
from domain.execution.events import ExecutionFailed, ReplayDiverged, ReplayRequested, ReplayVerified
from domain.execution.values import Divergence
from tests.support.run_world import World
from tests.support.runs import BROKEN, OVERLOADED, refused


@pytest.fixture
def world() -> World:
    world = World()
    world.runner.asks = ["one", "two"]
    return world


def executed(world: World) -> UUID:
    execution_id = uuid4()
    wish = RequestExecution(
        execution_id=execution_id, program_id=world.a_program(), inputs={"message": "hi"}
    )
    world.do(wish)
    world.do(RunExecution(execution_id=execution_id))
    return execution_id


def replayed(world: World, execution_id: UUID) -> object:
    world.do(RequestReplay(execution_id=execution_id))
    world.do(RunReplay(execution_id=execution_id, replay=1))
    return world.events(execution_id)[-1]


def test_a_faithful_log_repeats_the_run_without_a_model_call(world: World) -> None:
    verdict = replayed(world, executed(world))
    assert verdict == ReplayVerified(replay=1, answered_from_log=2, duration_ms=250)
    assert world.runner.made == ["one", "two"]


def test_other_outputs_are_named_and_kept(world: World) -> None:
    execution_id = executed(world)
    world.runner.outputs = {"queue": "billing"}
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert verdict.failure.code == "replay.outputs_differ"
    assert verdict.failure.message == "The replay gave other outputs: queue."
    assert verdict.outputs == Payload.of({"queue": "billing"}).ref
    assert world.stored({"queue": "billing"})


def test_outputs_are_compared_as_json_whatever_their_order(world: World) -> None:
    world.runner.outputs = {"a": 1, "b": 2}
    execution_id = executed(world)
    world.runner.outputs = {"b": 2, "a": 1}
    assert isinstance(replayed(world, execution_id), ReplayVerified)


def test_a_call_that_is_not_in_the_log_diverges(world: World) -> None:
    execution_id = executed(world)
    world.runner.asks = ["one", "three"]
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert verdict.failure.code == "replay.diverged"
    assert verdict.failure.message == (
        "three is not in the log. Call 2 of the log differs first at /ask."
    )
    assert verdict.answered_from_log == 1
    assert verdict.outputs is None
    asked, recorded = Payload.of({"ask": "three"}).ref, Payload.of({"ask": "two"}).ref
    assert verdict.divergence == Divergence(node="answer", asked=asked, call=2, recorded=recorded)
    assert world.stored({"ask": "three"})


def test_a_call_more_than_there_were_diverges_from_no_call_of_the_log(world: World) -> None:
    execution_id = executed(world)
    world.runner.asks = ["one", "two", "three"]
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert verdict.failure.message.endswith("The log holds no further call by answer.")
    asked = Payload.of({"ask": "three"}).ref
    assert verdict.divergence == Divergence(node="answer", asked=asked)


def test_a_failed_run_is_verified_by_failing_alike(world: World) -> None:
    world.runner.error = ProgramFailed(BROKEN)
    execution_id = executed(world)
    assert isinstance(replayed(world, execution_id), ReplayVerified)


def test_a_failed_run_that_now_succeeds_diverges(world: World) -> None:
    world.runner.error = ProgramFailed(BROKEN)
    execution_id = executed(world)
    world.runner.error = None
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert verdict.failure.message == "The execution is failed, its replay gave outputs."


@pytest.mark.parametrize("before", [None, OVERLOADED])
def test_a_run_that_fails_otherwise_diverges(world: World, before: object) -> None:
    world.runner.error = ProgramFailed(OVERLOADED) if before else None
    execution_id = executed(world)
    world.runner.error = ProgramFailed(BROKEN)
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert verdict.failure.code == "replay.outcome_differs"
    was = "failed with model.unavailable" if before else "completed"
    assert was in verdict.failure.message


def test_a_run_that_an_outage_ended_is_verified_by_the_same_refusal(world: World) -> None:
    asked = world.runner.ask

    def refuse(name: str, journal: object, *, live: bool = True) -> JsonObject:
        if not live:
            return asked(name, journal, live=False)  # type: ignore[arg-type]
        journal.record(*refused(name))  # type: ignore[attr-defined]
        raise ProgramFailed(OVERLOADED)

    world.runner.ask = refuse  # type: ignore[method-assign]
    execution_id = executed(world)
    assert isinstance(world.events(execution_id)[-1], ExecutionFailed)
    verdict = replayed(world, execution_id)
    assert verdict == ReplayVerified(replay=1, answered_from_log=1, duration_ms=250)


def cut_off(world: World, *, books: bool) -> UUID:
    """An execution whose second call was under way when its time was over, and is booked or not."""
    asked = world.runner.ask

    def ask(name: str, journal: CallJournal, *, live: bool = True) -> JsonObject:
        if live and name == "two":
            if books:
                journal.record(*refused(name))
            raise TimeIsOver
        return asked(name, journal, live=live)

    world.runner.ask = ask  # type: ignore[method-assign]
    return executed(world)


@pytest.mark.parametrize("books", [True, False])
def test_a_run_that_was_ended_at_its_deadline_is_verified_as_far_as_its_log_goes(
    world: World, *, books: bool
) -> None:
    execution_id = cut_off(world, books=books)
    verdict = replayed(world, execution_id)
    assert verdict == ReplayVerified(replay=1, answered_from_log=1 + books, duration_ms=250)


def test_a_run_that_was_ended_at_its_deadline_diverges_where_it_asks_otherwise(
    world: World,
) -> None:
    execution_id = cut_off(world, books=False)
    world.runner.asks = ["three"]
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert verdict.failure.code == "replay.diverged"


def test_an_erased_text_ends_the_replay(world: World) -> None:
    execution_id = executed(world)
    world.payloads._bodies.clear()
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert verdict.failure.code == "payload.missing"


def test_a_replay_that_is_stopped_for_good_has_diverged(world: World) -> None:
    execution_id = executed(world)
    world.runner.error = RunStopped(BROKEN)
    verdict = replayed(world, execution_id)
    assert isinstance(verdict, ReplayDiverged)
    assert (verdict.failure, verdict.divergence) == (BROKEN, None)


def test_an_unavailable_store_interrupts_the_replay(world: World) -> None:
    execution_id = executed(world)
    world.do(RequestReplay(execution_id=execution_id))
    world.runner.error = RunStopped(OVERLOADED)
    with pytest.raises(RunInterrupted):
        world.do(RunReplay(execution_id=execution_id, replay=1))
    assert isinstance(world.events(execution_id)[-1], ReplayRequested)


def test_a_redelivered_replay_changes_nothing(world: World) -> None:
    execution_id = executed(world)
    replayed(world, execution_id)
    before = world.events(execution_id)
    assert world.do(RunReplay(execution_id=execution_id, replay=1)).position == 0
    assert world.events(execution_id) == before


def test_the_verdict_is_given_though_another_replay_is_requested_meanwhile(world: World) -> None:
    execution_id = executed(world)
    world.do(RequestReplay(execution_id=execution_id))

    def request(_: Execution) -> None:
        world.executions.before_save = None
        world.do(RequestReplay(execution_id=execution_id))

    world.executions.before_save = request
    world.do(RunReplay(execution_id=execution_id, replay=1))
    assert isinstance(world.events(execution_id)[-1], ReplayVerified)


def test_a_running_execution_cannot_be_replayed(world: World) -> None:
    execution_id = uuid4()
    wish = RequestExecution(
        execution_id=execution_id, program_id=world.a_program(), inputs={"message": "hi"}
    )
    world.do(wish)
    with pytest.raises(ExecutionForbids):
        world.do(RequestReplay(execution_id=execution_id))


def test_a_replay_that_nobody_requested_is_not_found(world: World) -> None:
    with pytest.raises(ReplayNotFound):
        world.do(RunReplay(execution_id=executed(world), replay=1))


def test_a_stale_wish_for_a_replay_is_refused(world: World) -> None:
    with pytest.raises(StaleVersion):
        world.do(RequestReplay(execution_id=executed(world), expected_version=1))


def test_a_requested_replay_is_carried_out(world: World) -> None:
    execution_id = executed(world)
    world.do(RequestReplay(execution_id=execution_id))
    world.react()
    assert isinstance(world.events(execution_id)[-1], ReplayVerified)
