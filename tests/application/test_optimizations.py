"""Optimizations from the wish to the new version."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from application.attempts import RunInterrupted
from application.datasets import CreateDataset, DatasetDoesNotFit, DatasetPartIsEmpty, LoadRows
from application.lm_ports import (
    CallJournal,
    JsonObject,
    OptimizedProgram,
    OptimizerJob,
    ProgramFailed,
    RunStopped,
)
from application.optimizations import (
    AdoptOptimization,
    CancelOptimization,
    NothingToAdopt,
    RequestOptimization,
    RunOptimization,
)
from application.payloads import Payload
from domain.dataset.values import Split
from domain.errors import StaleVersion
from domain.evaluation.errors import UnknownMetric
from domain.optimization.errors import InvalidOptimizerConfig, UnknownOptimizer
from domain.optimization.events import (
    OptimizationCancelled,
    OptimizationCompleted,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRequested,
    OptimizationStarted,
    TrialScored,
)
from domain.program.errors import ActionIsNotAllowed
from domain.program.events import ProgramCompiled
from domain.program.values import Pins
from domain.values import Failure
from tests.support.memory import NOW
from tests.support.run_world import Killed, World
from tests.support.runs import OVERLOADED, answered

ROWS = ({"message": "crash", "queue": "bug"}, {"message": "refund", "queue": "billing"})


@pytest.fixture
def world() -> World:
    return World()


def a_dataset(world: World, rows: tuple[dict[str, str], ...] = ROWS) -> UUID:
    dataset_id = uuid4()
    world.do(CreateDataset(dataset_id=dataset_id, name=f"tickets {dataset_id.hex}"))
    if rows:
        world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=rows))
    return dataset_id


def request(world: World, **more: object) -> UUID:
    wish: dict[str, object] = {"optimization_id": uuid4(), "metric": "exact_match", **more}
    wish.setdefault("program_id", world.a_program())
    wish.setdefault("dataset_id", a_dataset(world))
    return world.do(RequestOptimization.model_validate(wish)).id


def run(world: World, optimization_id: UUID) -> None:
    world.do(RunOptimization(optimization_id=optimization_id))


def the_wish(world: World, optimization_id: UUID) -> OptimizationRequested:
    event = world.events(optimization_id)[0]
    assert isinstance(event, OptimizationRequested)
    return event


def last_failure(world: World, optimization_id: UUID) -> Failure:
    event = world.events(optimization_id)[-1]
    assert isinstance(event, OptimizationFailed)
    return event.failure


@pytest.mark.feature("OPT-01")
def test_opt_01_a_request_is_complete_with_every_default(world: World) -> None:
    program_id, dataset_id = world.a_program(), a_dataset(world)
    wish = the_wish(world, request(world, program_id=program_id, dataset_id=dataset_id))
    assert wish.optimizer == "bootstrap_random_search"
    assert wish.config["num_candidate_programs"] == 16
    assert (wish.program_id, wish.program_version) == (program_id, 1)
    assert (wish.dataset_id, wish.dataset_rows) == (dataset_id, 2)
    assert wish.seed == 9


@pytest.mark.feature("OPT-03")
def test_opt_03_an_unknown_parameter_is_refused_at_the_request(world: World) -> None:
    with pytest.raises(InvalidOptimizerConfig):
        request(world, optimizer="copro", config={"width": 3})
    wish = the_wish(world, request(world, optimizer="copro", config={"breadth": 3}))
    assert wish.config["breadth"] == 3


@pytest.mark.feature("OPT-16")
def test_opt_16_an_unknown_optimizer_is_refused_at_the_request(world: World) -> None:
    with pytest.raises(UnknownOptimizer):
        request(world, optimizer="gepetto")


@pytest.mark.feature("MET-06")
def test_met_06_an_unknown_metric_is_refused_at_the_request(world: World) -> None:
    with pytest.raises(UnknownMetric):
        request(world, metric="vibes")


def test_a_seed_of_0_is_refused_because_mipro_reads_it_as_9(world: World) -> None:
    with pytest.raises(ValidationError):
        request(world, seed=0)


def test_a_dataset_without_train_rows_is_refused(world: World) -> None:
    with pytest.raises(DatasetPartIsEmpty, match="has no train rows"):
        request(world, dataset_id=a_dataset(world, ()))


@pytest.mark.feature("OPT-17")
def test_opt_17_rows_have_to_fit_the_signature(world: World) -> None:
    with pytest.raises(DatasetDoesNotFit, match="they have text, label") as refusal:
        request(world, dataset_id=a_dataset(world, ({"text": "crash", "label": "bug"},)))
    assert [fault.code for fault in refusal.value.faults] == [
        "dataset.input_missing",
        "dataset.label_missing",
    ]


@pytest.mark.feature("PRG-09")
def test_prg_09_a_retired_program_is_not_optimized(world: World) -> None:
    program_id = world.a_program()
    world.change_program(program_id, lambda it: it.retire("old", at=NOW))
    with pytest.raises(ActionIsNotAllowed):
        request(world, program_id=program_id)


@pytest.mark.feature("OPT-05")
@pytest.mark.feature("OPT-18")
def test_opt_05_a_run_records_its_pins_calls_trials_and_result(world: World) -> None:
    optimization_id = request(world)
    run(world, optimization_id)
    _, started, call, trial, *_, completed = world.events(optimization_id)
    assert started == OptimizationStarted(
        attempt=1, worker="worker-1", pins={"dspy": "3.4.1", "seed": "9"}
    )
    assert isinstance(call, OptimizationLmCalled)
    assert trial == TrialScored(trial=1, score=0.25, candidate=Payload.of({"trial": 1}).ref)
    assert isinstance(completed, OptimizationCompleted)
    assert (completed.trials, completed.training_score, completed.duration_ms) == (2, 0.5, 250)
    assert completed.spend.calls == 2
    assert world.stored({"trial": 1})
    assert world.stored({"trial": 2})


class AsksOnce:
    """An optimizer of one's own: it asks the model one thing and is content."""

    def pins(self, seed: int) -> dict[str, str]:
        return {"asks-once": f"1.0 with seed {seed}"}

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        call, request, response = answered(f"How to {job.metric}?")
        journal.record(call, request, response)
        on_trial(1, 1.0, {"content": True})
        return OptimizedProgram({"content": True}, 1.0)


@pytest.mark.feature("OPT-07")
def test_opt_07_an_optimizer_of_ones_own_runs_behind_the_port_and_leaves_its_traces(
    world: World,
) -> None:
    world.bus = world.bus_with(replace(world.engine, optimizer=AsksOnce()))
    optimization_id = request(world)
    run(world, optimization_id)
    _, started, call, trial, completed = world.events(optimization_id)
    assert isinstance(started, OptimizationStarted)
    assert started.pins == {"asks-once": "1.0 with seed 9"}
    assert isinstance(call, OptimizationLmCalled)
    assert call.call == answered("How to exact_match?")[0]
    assert trial == TrialScored(trial=1, score=1.0, candidate=Payload.of({"content": True}).ref)
    assert isinstance(completed, OptimizationCompleted)
    assert completed.training_score == 1.0


@pytest.mark.feature("OPT-17")
@pytest.mark.feature("OPT-18")
def test_opt_18_the_optimizer_learns_from_the_train_rows_of_the_request_only(world: World) -> None:
    dataset_id = a_dataset(world)
    optimization_id = request(world, dataset_id=dataset_id)
    later = ({"message": "late", "queue": "bug"},)
    world.do(LoadRows(dataset_id=dataset_id, split=Split.TRAIN, rows=later))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.HELDOUT, rows=later))
    run(world, optimization_id)
    (job,) = world.optimizer.jobs
    assert tuple(job.rows) == ROWS
    assert (job.optimizer, job.metric, job.seed) == ("bootstrap_random_search", "exact_match", 9)


@pytest.mark.feature("OPT-09")
def test_opt_09_a_completed_run_becomes_the_next_version_once(world: World) -> None:
    program_id = world.a_program()
    optimization_id = request(world, program_id=program_id)
    run(world, optimization_id)
    adopt = AdoptOptimization(optimization_id=optimization_id)
    world.do(adopt)
    assert world.do(adopt).position == 0
    assert world.events(program_id)[1:] == [
        ProgramCompiled(
            new_version=2,
            base_version=1,
            optimization_id=optimization_id,
            optimizer="bootstrap_random_search",
            state=Payload.of({"trial": 2}).ref,
            training_score=0.5,
            pins=Pins(libraries={"dspy": "3.4.1"}),
        )
    ]


def test_a_completed_run_is_adopted_by_itself(world: World) -> None:
    program_id = world.a_program()
    request(world, program_id=program_id)
    world.react()
    world.react()
    assert isinstance(world.events(program_id)[-1], ProgramCompiled)


def test_an_unfinished_run_has_nothing_to_adopt(world: World) -> None:
    with pytest.raises(NothingToAdopt, match="is pending"):
        world.do(AdoptOptimization(optimization_id=request(world)))


def test_a_program_that_was_retired_meanwhile_adopts_nothing(world: World) -> None:
    program_id = world.a_program()
    optimization_id = request(world, program_id=program_id)
    run(world, optimization_id)
    world.change_program(program_id, lambda it: it.retire("old", at=NOW))
    assert world.do(AdoptOptimization(optimization_id=optimization_id)).position == 0


@pytest.mark.feature("OPT-10")
def test_opt_10_a_failing_metric_fails_the_run_by_its_name(world: World) -> None:
    failure = Failure(code="metric.failed", message="The metric exact_match failed.")
    world.runner.error = ProgramFailed(failure)
    optimization_id = request(world)
    run(world, optimization_id)
    assert last_failure(world, optimization_id) == failure


@pytest.mark.parametrize("trial", [3, 11, 29])
def test_f_03_a_kill_repeats_at_most_one_call_and_comes_to_the_same_end(
    world: World, trial: int
) -> None:
    world.optimizer.trials = [number / 30 for number in range(1, 31)]
    optimization_id = request(world)

    def die(_: object = None) -> None:
        world.optimizations.before_save = die
        raise Killed

    world.runner.during = lambda name: die() if name == f"trial {trial}" else None
    with pytest.raises(Killed):
        run(world, optimization_id)
    world.optimizations.before_save = None
    world.runner.during = lambda _: None
    run(world, optimization_id)
    events = world.events(optimization_id)
    assert [e.trial for e in events if isinstance(e, TrialScored)] == [*range(1, 31)]
    assert sum(isinstance(e, OptimizationLmCalled) for e in events) == 30
    assert len(world.runner.made) == 31
    completed = events[-1]
    assert isinstance(completed, OptimizationCompleted)
    assert completed.state == Payload.of({"trial": 30}).ref


def test_a_resumed_run_with_other_pins_fails(world: World) -> None:
    optimization_id = request(world)
    world.runner.error = RunStopped(OVERLOADED)
    with pytest.raises(RunInterrupted):
        run(world, optimization_id)
    world.optimizer.versions = {"dspy": "3.5.0"}
    run(world, optimization_id)
    assert last_failure(world, optimization_id).code == "optimization.pins_changed"
    assert "dspy (3.4.1 → 3.5.0)" in last_failure(world, optimization_id).message


def test_a_cancelled_run_stops_at_its_next_call(world: World) -> None:
    optimization_id = request(world)
    cancel = CancelOptimization(optimization_id=optimization_id, reason="enough")
    world.runner.during = lambda _: void(world.do(cancel))
    run(world, optimization_id)
    assert world.events(optimization_id)[-1] == OptimizationCancelled(reason="enough")
    assert world.runner.made == ["trial 1"]


def void(_: object) -> None:
    """Drop a result."""


def test_a_stale_wish_to_cancel_is_refused(world: World) -> None:
    optimization_id = request(world)
    with pytest.raises(StaleVersion):
        world.do(CancelOptimization(optimization_id=optimization_id, expected_version=7))


def test_a_score_outside_the_bounds_does_not_pass_for_a_trial(world: World) -> None:
    world.optimizer.trials = [1.5]
    optimization_id = request(world)
    with pytest.raises(RunInterrupted, match="ValidationError"):
        run(world, optimization_id)
    assert not any(isinstance(e, TrialScored) for e in world.events(optimization_id))


def test_replacing_the_program_while_it_is_adopted_loses_neither(world: World) -> None:
    program_id = world.a_program()
    optimization_id = request(world, program_id=program_id)
    run(world, optimization_id)

    def deploy(_: object) -> None:
        world.programs.before_save = None
        world.change_program(program_id, lambda it: it.deploy(1, "now", (), at=NOW))

    world.programs.before_save = deploy
    world.do(AdoptOptimization(optimization_id=optimization_id))
    assert [event.TOPIC for event in world.events(program_id)] == [
        "program.created",
        "program.deployed",
        "program.compiled",
    ]
