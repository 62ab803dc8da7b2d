"""Engines in processes of their own: isolated by tenant, replaced, killed, and resumed."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from application.attempts import RunInterrupted
from application.context import within
from application.executions import RequestExecution, RunExecution
from application.lm_ports import (
    Diverged,
    JsonObject,
    Missed,
    ModelChoice,
    NotShared,
    OptimizerJob,
    ProgramFailed,
    RunnableProgram,
    RunStopped,
    TimeIsOver,
)
from application.streaming import Piece
from domain.execution.events import ExecutionCompleted, ExecutionFailed, ExecutionLmCalled
from domain.values import Cache
from infrastructure.engines.pool import ProcessEngine
from infrastructure.engines.processes import Bounds
from infrastructure.engines.wire import EngineFault
from tests.support.engine_process import COMMAND
from tests.support.run_world import CONTEXT, GRAPH, World
from tests.support.runs import key
from tests.support.service import is_running, until
from tests.support.streaming import Noted

PROGRAM = RunnableProgram("triage@1", GRAPH, None)
MODEL = ModelChoice("made-up/model")

Start = Callable[..., ProcessEngine]


class Forgetful(NotShared):
    """A journal that knows nothing and keeps nothing."""

    def find(self, key: str) -> JsonObject | None:
        return None

    def record(self, *call: object) -> None:
        """It is forgotten."""

    record_tool_call = record


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[ProcessEngine] = []

    def begin(**bounds: int | bool) -> ProcessEngine:
        engine = ProcessEngine(Bounds(**bounds), command=COMMAND, environment={})  # type: ignore[arg-type]  # each of its own type
        started.append(engine)
        engine.configure(MODEL)
        return engine

    yield begin
    for engine in started:
        engine.close()


def said(
    engine: ProcessEngine, message: str, *, tenant: str = "acme", within_s: float | None = None
) -> str:
    with within(replace(CONTEXT, tenant=tenant)):
        outputs = engine.execute(
            PROGRAM, {"message": message}, Forgetful(), live=True, within_s=within_s
        )
    return str(outputs["queue"])


@pytest.mark.feature("LMP-14")
def test_lmp_14_processes_share_by_way_of_their_workers(start: Start) -> None:
    world = World()
    world.bus = world.bus_with(start(processes=2))
    program_id = world.a_program(GRAPH, Cache.ANSWERS)

    def shared(word: str, program_id: UUID = program_id) -> tuple[UUID, str]:
        execution_id = requested(world, f"share {word}", program_id)
        world.do(RunExecution(execution_id=execution_id))
        with within(CONTEXT):
            outputs = world.executions.get(execution_id).outputs
            assert outputs is not None
            told = world.payloads.get(outputs)
        assert isinstance(told, dict)
        return execution_id, str(told["queue"])

    first, made = shared("one")
    assert (made, shared("one")[1]) == ("made", str(first))
    assert [shared("unread")[1] for _ in range(2)] == ["made", "made"]
    assert shared("one", world.a_program())[1] == "alone"


@pytest.mark.feature("EXE-11")
def test_exe_11_who_follows_a_run_hears_of_it_from_its_process(start: Start) -> None:
    journal, audience = Forgetful(), Noted()
    engine = start(processes=1)

    def told() -> JsonObject:
        with within(CONTEXT):
            return engine.execute(PROGRAM, {"message": "tell why"}, journal, live=True)

    assert told() == {"queue": "False"}
    journal.audience = audience
    assert told() == {"queue": "True"}
    assert audience.began_at == ["answer"]
    assert audience.pieces == [Piece("queue", at, text) for at, text in enumerate("why")]


@pytest.mark.feature("BRG-03")
def test_brg_03_a_process_is_of_one_tenant_alone_where_that_is_wanted(start: Start) -> None:
    apart = start(processes=2, per_tenant=True)
    of = {tenant: said(apart, "who", tenant=tenant) for tenant in ("acme", "globex")}
    assert of["acme"] != of["globex"]
    assert said(apart, "who", tenant="acme") == of["acme"]
    third = said(apart, "who", tenant="initech")  # there is room for two: one has to end for it
    assert third not in of.values()
    assert not is_running(int(of["globex"]))
    assert sorted(apart.pids) == sorted([int(of["acme"]), int(third)])
    shared = start(processes=2)
    assert len({said(shared, "who", tenant=tenant) for tenant in ("acme", "globex")}) == 1


@pytest.mark.feature("BRG-03")
def test_brg_03_a_process_is_replaced_after_so_many_jobs(start: Start) -> None:
    engine = start(processes=1, jobs=2)
    pids = [said(engine, "who") for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    assert not is_running(int(pids[0]))


@pytest.mark.feature("BRG-03")
def test_brg_03_a_run_over_the_memory_cap_is_tried_again_elsewhere_then_fails(
    start: Start,
) -> None:
    world = World()
    engine = start(processes=2, memory_mb=200)
    world.bus = world.bus_with(engine)
    big, small = requested(world, "eat 400"), requested(world, "who")
    before = engine.pids
    for _ in range(2):
        with pytest.raises(RunInterrupted, match="more than 200 MB"):
            world.do(RunExecution(execution_id=big))
    assert not set(before) & set(engine.pids)
    world.do(RunExecution(execution_id=small))
    assert isinstance(world.events(small)[-1], ExecutionCompleted)
    world.do(RunExecution(execution_id=big))
    failed = world.events(big)[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.failure.code == "resource_exceeded"


def test_a_process_that_kept_too_much_is_replaced_between_jobs(start: Start) -> None:
    engine = start(processes=1, memory_mb=400)
    first = said(engine, "grow 200")
    assert said(engine, "who") == first
    with pytest.raises(RunStopped) as stopped:
        said(engine, "eat 300")
    assert stopped.value.failure.code == "resource_exceeded"
    assert said(engine, "who") != first


@pytest.mark.feature("BRG-03")
def test_a_killed_process_resumes_elsewhere_and_repeats_no_recorded_call(
    start: Start, tmp_path: Path
) -> None:
    world = World()
    world.bus = world.bus_with(start(processes=1))
    execution_id = requested(world, f"ask one two die-once:{tmp_path / 'mark'} three")
    with pytest.raises(RunInterrupted, match="ended with 9"):
        world.do(RunExecution(execution_id=execution_id))
    world.do(RunExecution(execution_id=execution_id))
    assert isinstance(world.events(execution_id)[-1], ExecutionCompleted)
    calls = [each for each in world.events(execution_id) if isinstance(each, ExecutionLmCalled)]
    assert len({each.call.key for each in calls}) == len(calls) == 3


@pytest.mark.feature("BRG-08")
def test_a_process_that_hangs_is_killed_at_the_deadline(start: Start) -> None:
    engine = start(processes=1)
    stuck = int(said(engine, "who"))
    with pytest.raises(TimeIsOver):
        said(engine, "hang", within_s=0.2)
    assert not is_running(stuck)
    assert int(said(engine, "who")) != stuck


def test_who_waits_for_a_process_waits_no_longer_than_the_deadline(start: Start) -> None:
    engine = start(processes=1)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(said, engine, "hang", within_s=1.5)
        until(lambda: engine.pids, lambda pids: pids == [], timeout_s=10)
        with pytest.raises(TimeIsOver):
            said(engine, "who", within_s=0.1)
        with pytest.raises(TimeIsOver):
            hanging.result(20)


def test_a_process_is_told_the_time_that_is_left_so_that_it_ends_by_itself(start: Start) -> None:
    """What was waited for a process is over; one that thinks otherwise would have to be killed."""
    engine = start(processes=1)
    assert 0 < float(said(engine, "left", within_s=30)) < 30
    assert said(engine, "left") == "None"


@pytest.mark.timeout(30)
def test_who_needs_a_process_that_starts_slowly_waits_no_longer_than_the_deadline() -> None:
    never = (sys.executable, "-c", "import sys; sys.stdin.read()")
    engine = ProcessEngine(Bounds(processes=1), command=never, environment={})
    for _ in range(2):  # the first has left room for another
        with pytest.raises(TimeIsOver):
            said(engine, "who", within_s=0.1)
    assert engine.pids == []
    engine.close()


def test_several_work_at_the_same_time(start: Start) -> None:
    engine = start(processes=2)
    both = threading.Barrier(2)

    def who(_: int) -> str:
        both.wait(10)
        return said(engine, "say 1000000")

    with ThreadPoolExecutor(2) as pool:
        assert {len(each) for each in pool.map(who, range(2))} == {1_000_000}
    assert len(engine.pids) == 2


def test_what_is_too_long_for_a_message_fails_by_its_name(start: Start) -> None:
    engine = start(processes=1, most_bytes=100_000)
    for message in ("say 200000", "x" * 200_000):
        with pytest.raises(ProgramFailed) as failed:
            said(engine, message)
        assert failed.value.failure.code == "engine.frame_too_large"


def test_a_process_that_ends_loses_its_run_and_no_more(start: Start) -> None:
    engine = start(processes=1)
    with pytest.raises(RunStopped) as stopped:
        said(engine, "die")
    assert stopped.value.failure.code == "engine.lost"
    assert stopped.value.failure.retryable
    assert said(engine, "who")


def test_a_model_that_cannot_be_used_is_refused_when_it_is_chosen(start: Start) -> None:
    engine = start(processes=1)
    with pytest.raises(EngineFault, match="There is no such model"):
        engine.configure(ModelChoice("unknown"))


def test_trials_and_pins_come_back(start: Start) -> None:
    engine, trials = start(processes=1), list[tuple[int, float, JsonObject]]()
    job = OptimizerJob(PROGRAM, "copro", {}, "exact_match", 7, [{"message": "who"}])
    found = engine.optimize(job, Forgetful(), lambda *trial: trials.append(trial))
    assert trials == [(1, 0.5, {"found": True})]
    assert found.state == {"found": True}
    assert engine.pins(7) == {"seed": "7"}


def test_processes_end_with_their_engine(start: Start) -> None:
    engine = start(processes=1)
    pid = int(said(engine, "who"))
    engine.close()
    assert not is_running(pid)
    assert pid != os.getpid()


def requested(world: World, message: str, program_id: UUID | None = None) -> UUID:
    execution_id, program_id = uuid4(), program_id or world.a_program()
    inputs = {"message": message}
    world.do(
        RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs), CONTEXT
    )
    return execution_id


def test_a_replay_there_says_here_what_it_did_not_find(start: Start) -> None:
    with pytest.raises(Diverged, match="two is not there") as stop:
        start().execute(PROGRAM, {"message": "miss two"}, Forgetful(), live=False)
    assert stop.value.missed == Missed(key("two"), "answer", "two")
