"""The journal of a run under many threads, and what it makes of trouble."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event
from uuid import uuid4

import pytest

from application.context import within
from application.errors import ConcurrentWrite, StoreIsUnavailable
from application.journal import Decision, ExecutionJournal, ReplayJournal, RunJournal, stop_reason
from application.lm_ports import RunStopped
from application.payloads import Payload
from domain.execution.aggregate import Execution
from domain.execution.events import ExecutionLmCalled, ExecutionToolCalled
from domain.values import Failure
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, Killed, World
from tests.support.runs import answered, key, ref, refused, used


@pytest.fixture
def world() -> World:
    return World()


def started(world: World) -> Execution:
    execution = Execution.request(
        uuid4(), program_id=uuid4(), program_version=1, inputs=ref("in"), at=NOW
    )
    execution.start("w", at=NOW)
    with within(CONTEXT):
        world.executions.save(execution)
    return execution


def journal(world: World, execution: Execution) -> RunJournal[Execution]:
    with within(CONTEXT):
        return RunJournal(execution, world.executions, world.payloads, world.clock, world.prices)


def booked(world: World, execution: Execution) -> list[str]:
    called = ExecutionLmCalled | ExecutionToolCalled
    return [e.call.key for e in world.events(execution.id) if isinstance(e, called)]


def test_a_call_is_durable_before_its_answer_is_used(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)
    assert run.find(key("one")) is None
    run.record(*answered("one"))
    assert booked(world, execution) == [key("one")]
    assert run.find(key("one")) == {"say": "one"}


def test_a_later_attempt_finds_the_answers_of_the_one_before(world: World) -> None:
    execution = started(world)
    journal(world, execution).record(*answered("one"))
    with within(CONTEXT):
        again = world.executions.get(execution.id)
    later = journal(world, again)
    assert later.find(key("one")) == {"say": "one"}
    assert later.find(key("one")) == {"say": "one"}


def test_a_refused_call_is_booked_and_answers_nothing(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)
    run.record(*refused("one"))
    assert booked(world, execution) == [key("one")]
    assert run.find(key("one")) is None


def test_a_tool_call_is_durable_before_its_result_is_used(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)
    assert run.find(key("one")) is None
    run.record_tool_call(*used("one"))
    assert booked(world, execution) == [key("one")]
    assert run.find(key("one")) == {"result": "one"}
    with within(CONTEXT):
        again = world.executions.get(execution.id)
    assert journal(world, again).find(key("one")) == {"result": "one"}


def test_what_went_wrong_with_a_tool_is_booked_without_secrets(world: World) -> None:
    execution = started(world)
    call, arguments, result = used("one")
    failure = Failure(code="tool.failed", message="Bearer abcdefghijklm")
    run = journal(world, execution)
    run.record_tool_call(call.model_copy(update={"failure": failure}), arguments, result)
    (event,) = [e for e in world.events(execution.id) if isinstance(e, ExecutionToolCalled)]
    assert event.call.failure == Failure(code="tool.failed", message="Bearer [redacted]")


def test_the_first_answer_to_a_key_is_the_one_that_counts(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)
    run.record(*answered("one"))
    call, asked, _ = answered("one")
    other = Payload.of({"say": "other"})
    run.record(call.model_copy(update={"response": other.ref}), asked, other)
    assert run.find(key("one")) == {"say": "one"}
    assert booked(world, execution) == [key("one")]


def test_many_threads_lose_nothing(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)

    def work(thread: int) -> None:
        for number in range(25):
            name = f"{thread}-{number}"
            run.record(*answered(name))
            assert key(name) in booked(world, execution)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    calls = booked(world, execution)
    assert len(calls) == len(set(calls)) == 200


def test_what_threads_bring_during_an_append_shares_the_next_one(world: World) -> None:
    execution = started(world)
    run, before = journal(world, execution), world.executions.saves
    others = 7

    def wait_for_the_others(_: Execution) -> None:
        world.executions.before_save = None
        deadline = time.monotonic() + 10
        while len(run._waiting) < others and time.monotonic() < deadline:
            time.sleep(0.001)

    world.executions.before_save = wait_for_the_others
    with ThreadPoolExecutor(others + 1) as threads:
        list(threads.map(lambda n: run.record(*answered(f"{n}")), range(others + 1)))
    assert len(booked(world, execution)) == others + 1
    assert world.executions.saves - before == 2


def test_a_stop_reaches_every_thread_whose_call_was_not_stored(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)
    entered, release, both = Event(), Event(), Barrier(3)

    def refuse(_: Execution) -> None:
        entered.set()
        release.wait(5)
        raise StoreIsUnavailable("restarting")

    world.executions.before_save = refuse

    def record(name: str) -> None:
        both.wait(5)
        run.record(*answered(name))

    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(record, name) for name in ("one", "two")]
        both.wait(5)
        entered.wait(5)
        release.set()
        for future in futures:
            with pytest.raises(RunStopped, match="not available"):
                future.result()
    world.executions.before_save = None
    with pytest.raises(RunStopped):
        run.find(key("three"))
    with pytest.raises(RunStopped):
        run.finish(Decision(lambda it: it.cancel("x", at=NOW)))
    assert booked(world, execution) == []


def test_an_interrupt_passes_through_and_stops_the_journal(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)

    def die(_: Execution) -> None:
        raise Killed

    world.executions.before_save = die
    with pytest.raises(Killed):
        run.record(*answered("one"))
    world.executions.before_save = None
    with pytest.raises(RunStopped) as stopped:
        run.flush()
    assert stopped.value.failure.code == "run.journal_failed"


def test_a_write_that_lost_a_race_is_decided_again_while_the_attempt_holds(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)

    def collide(_: Execution) -> None:
        world.executions.before_save = None
        raise ConcurrentWrite("execution", execution.id)

    world.executions.before_save = collide
    run.record(*answered("one"))
    assert booked(world, execution) == [key("one")]


def test_other_decisions_keep_their_order_among_the_calls(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)
    run.note(Decision(lambda it: it.record_call(answered("one")[0], at=NOW)))
    run.record(*answered("two"))
    assert booked(world, execution) == [key("one"), key("two")]


def test_a_missing_answer_stops_the_run_for_good(world: World) -> None:
    execution = started(world)
    execution.record_call(answered("one")[0], at=NOW)
    with pytest.raises(RunStopped) as stopped:
        journal(world, execution).find(key("one"))
    assert stopped.value.failure.code == "payload.missing"
    assert not stopped.value.failure.retryable


def test_an_execution_writes_behind_by_one_call(world: World) -> None:
    execution = started(world)
    with within(CONTEXT):
        run = ExecutionJournal(
            execution, world.executions, world.payloads, world.clock, world.prices
        )
    run.record(*answered("one"))
    assert booked(world, execution) == []
    assert run.find(key("one")) == {"say": "one"}
    assert booked(world, execution) == [key("one")]
    run.record(*answered("two"))
    run.record(*answered("three"))
    assert booked(world, execution) == [key("one"), key("two")]
    run.record_tool_call(*used("four"))
    assert booked(world, execution) == [key("one"), key("two"), key("three")]
    assert run.find(key("four")) == {"result": "four"}
    assert booked(world, execution) == [key("one"), key("two"), key("three"), key("four")]
    run.record_tool_call(*used("five"))
    run.finish(Decision(lambda it: it.cancel("enough", at=NOW)))
    assert booked(world, execution)[-1] == key("five")


def test_a_replay_reads_on_behalf_of_its_own_context_and_books_nothing(world: World) -> None:
    execution = started(world)
    run = journal(world, execution)
    run.record(*answered("one"))
    with within(CONTEXT):
        replay = ReplayJournal(world.executions.get(execution.id), world.payloads)
    with within(replace(CONTEXT, tenant="other")):
        assert replay.find(key("one")) == {"say": "one"}
    assert replay.find(key("two")) is None
    assert replay.answered == 1
    with pytest.raises(RunStopped) as stopped:
        replay.record(*answered("two"))
    assert stopped.value.failure.code == "replay.diverged"
    assert "answer" in stopped.value.failure.message
    with pytest.raises(RunStopped) as stopped:
        replay.record_tool_call(*used("two"))
    assert stopped.value.failure.code == "replay.diverged"


def test_a_replay_whose_answers_cannot_be_read_stops(world: World) -> None:
    execution = started(world)
    execution.record_call(answered("one")[0], at=NOW)
    with within(CONTEXT):
        replay = ReplayJournal(execution, world.payloads)
    with pytest.raises(RunStopped) as stopped:
        replay.find(key("one"))
    assert stopped.value.failure.code == "payload.missing"


def test_a_stop_says_why_in_a_sentence_without_secrets() -> None:
    reason = stop_reason(ValueError("Bearer abcdefghijklm"))
    assert reason.message == "ValueError: Bearer [redacted]"
    assert reason.retryable


def test_a_run_that_shares_nothing_finds_nothing_of_others(world: World) -> None:
    run = journal(world, started(world))
    assert not run.shares
    assert run.shared(key("one"), within_s=60) is None
    run.settle(key("one"), is_read=True)
