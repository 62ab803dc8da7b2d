"""What the sweep finds: work that was requested and has neither ended nor moved."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.evaluation.events import EvaluationStarted
from domain.execution.events import ExecutionStarted, ReplayRequested, ReplayVerified
from domain.execution.values import Caller
from domain.optimization.events import OptimizationApproved, OptimizationRejected
from domain.optimization.values import Adoption
from domain.workflow_run.aggregate import WorkflowRun
from projections.unfinished import UnfinishedWork, unfinished_work
from tests.support import histories as build
from tests.support.batches import caller
from tests.support.probes import a_probe
from tests.support.projecting import ProjectionScenario

pytestmark = pytest.mark.postgres


@pytest.fixture
def scenario(scenario: ProjectionScenario) -> ProjectionScenario:
    """A scenario whose events happened an hour ago."""
    scenario.log.at = datetime.now(UTC) - timedelta(hours=1)
    return scenario


def found(scenario: ProjectionScenario, *, older_than_s: float = 60) -> dict[UUID, UnfinishedWork]:
    work = unfinished_work(scenario.models.store, older_than_s)
    return {each.id: each for each in work if each.tenant == scenario.log.tenant}


def test_requested_and_running_work_of_every_kind_is_found(scenario: ProjectionScenario) -> None:
    waiting, running, optimizing, judging = (uuid4() for _ in range(4))
    scenario.given(waiting, build.execution_requested())
    row = uuid4()
    scenario.given(row, build.execution_requested(caller=caller(1)))
    started = ExecutionStarted(attempt=1, worker="worker-1")
    scenario.given(running, build.execution_requested(), started)
    scenario.given(optimizing, build.optimization_requested(), build.optimization_started(2))
    judged = EvaluationStarted(attempt=1, worker="worker-1")
    scenario.given(judging, build.evaluation_requested(), judged)
    assert {work.id: (work.kind, work.attempts) for work in found(scenario).values()} == {
        waiting: ("execution", 0),
        row: ("batch_row", 0),
        running: ("execution", 1),
        optimizing: ("optimization", 2),
        judging: ("evaluation", 1),
    }


@pytest.mark.feature("PRG-20")
def test_prg_20_a_result_is_due_once_nobody_has_to_approve_it(scenario: ProjectionScenario) -> None:
    ways = {"auto": uuid4(), "open": uuid4(), "approved": uuid4(), "rejected": uuid4()}
    for name, optimization in ways.items():
        adopt = Adoption.AUTO if name == "auto" else Adoption.APPROVAL
        asked = build.optimization_requested(adopt=adopt)
        found_it = (build.optimization_started(), build.optimization_completed())
        scenario.given(optimization, asked, *found_it)
    scenario.given(ways["approved"], OptimizationApproved(reason="It is better."))
    scenario.given(ways["rejected"], OptimizationRejected(reason="It is worse."))
    assert {work.id: work.kind for work in found(scenario).values()} == {
        ways["auto"]: "adoption",
        ways["approved"]: "adoption",
    }


def test_what_has_ended_is_not_due(scenario: ProjectionScenario) -> None:
    scenario.given(uuid4(), *build.an_execution())
    scenario.given(uuid4(), *build.an_evaluation())
    scenario.given(uuid4(), build.execution_requested(), build.execution_failed())
    assert found(scenario) == {}


def test_what_moved_lately_is_not_due(scenario: ProjectionScenario) -> None:
    execution = uuid4()
    scenario.given(execution, build.execution_requested())
    assert found(scenario, older_than_s=7200) == {}
    scenario.log.at = datetime.now(UTC)
    scenario.given(execution, ExecutionStarted(attempt=1, worker="worker-1"))
    assert found(scenario) == {}


def test_the_program_of_a_workflows_step_is_left_to_the_workflow_while_it_may_be_under_way(
    scenario: ProjectionScenario,
) -> None:
    """Queued again it would fence off the step that waits for a slow model, and pay it twice."""
    under_way, forgotten, by_itself = uuid4(), uuid4(), uuid4()
    started = ExecutionStarted(attempt=1, worker="worker-1")
    in_step = build.execution_requested(caller=Caller(kind=WorkflowRun.KIND, id=uuid4()))
    scenario.given(forgotten, in_step, started)
    scenario.log.at = datetime.now(UTC) - timedelta(minutes=10)
    scenario.given(under_way, in_step, started)
    scenario.given(by_itself, build.execution_requested(), started)
    assert set(found(scenario)) == {forgotten, by_itself}


@pytest.mark.parametrize("refused", [True, False])
def test_a_pending_probe_is_due_until_it_ends(
    scenario: ProjectionScenario, *, refused: bool
) -> None:
    probe = uuid4()
    asked, ended = a_probe(refused=refused)
    scenario.given(probe, asked)
    (work,) = found(scenario).values()
    assert (work.kind, work.id, work.attempts) == ("probe", probe, 0)
    scenario.given(probe, ended)
    assert found(scenario) == {}


def test_a_pending_replay_is_due_until_it_ends(scenario: ProjectionScenario) -> None:
    execution = uuid4()
    scenario.given(execution, *build.an_execution(), ReplayRequested(replay=1))
    (work,) = found(scenario).values()
    assert (work.kind, work.id, work.replay) == ("replay", execution, 1)
    verified = ReplayVerified(replay=1, answered_from_log=1, duration_ms=1)
    scenario.given(execution, verified)
    assert found(scenario) == {}


def test_a_completed_optimization_is_due_until_it_is_adopted(
    scenario: ProjectionScenario,
) -> None:
    optimization = build.an_id("optimization")
    scenario.given(build.an_id("program"), build.program_created())
    scenario.given(optimization, *build.an_optimization())
    assert [each.kind for each in found(scenario).values()] == ["adoption"]
    scenario.given(build.an_id("program"), build.program_compiled())
    assert found(scenario) == {}


def test_the_stillest_comes_first(scenario: ProjectionScenario) -> None:
    first, second = uuid4(), uuid4()
    scenario.given(first, build.execution_requested())
    scenario.given(second, build.execution_requested())
    assert list(found(scenario)) == [first, second]


@pytest.mark.feature("EXE-03")
def test_an_execution_past_its_deadline_is_found_at_once_whoever_has_it(
    scenario: ProjectionScenario,
) -> None:
    scenario.log.at = datetime.now(UTC)
    late, in_time, ended = uuid4(), uuid4(), uuid4()
    past, future = (scenario.log.at + timedelta(seconds=each) for each in (-1, 60))
    started = ExecutionStarted(attempt=1, worker="hangs")
    for execution, deadline in ((late, past), (in_time, future), (ended, past)):
        asked = build.execution_requested().model_copy(update={"deadline": deadline})
        scenario.given(execution, asked, started)
    scenario.given(ended, build.execution_failed())
    assert {work.id: work.kind for work in found(scenario).values()} == {late: "overdue"}
