"""The real DSPy runtime under the real handlers: executed, replayed, optimized, resumed, scored."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from dspy import lm15

from application.attempts import RunInterrupted
from application.datasets import CreateDataset, LoadRows
from application.evaluations import RequestEvaluation, RunEvaluation
from application.executions import RequestExecution, RunExecution
from application.optimizations import AdoptOptimization, RequestOptimization, RunOptimization
from application.replays import RequestReplay, RunReplay
from domain.dataset.values import Split
from domain.evaluation.events import EvaluationCompleted
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ReplayVerified,
)
from domain.optimization.events import (
    OptimizationCompleted,
    OptimizationLmCalled,
    TrialScored,
)
from domain.program.events import ProgramCompiled
from infrastructure.dspy_runtime.retries import Retries
from tests.support.dspy_programs import StochasticEngine, bound, engine_on, sums, two_steps
from tests.support.run_world import World

THREADS = 4


class BreakingEngine(StochasticEngine):
    """Is unavailable at the calls whose numbers are in ``broken``."""

    broken: frozenset[int] = frozenset()

    def answer(self, request: lm15.Request) -> str:
        if self.calls in self.broken:
            raise lm15.ServerError("overloaded")
        return super().answer(request)


@dataclass
class Scene:
    world: World = field(default_factory=World)
    engine: BreakingEngine = field(default_factory=BreakingEngine)

    def __post_init__(self) -> None:
        model = bound(self.engine, concurrency=THREADS)
        self.world.bus = self.world.bus_with(engine_on(model, retries=Retries(waits_s=())))
        self.program_id = self.world.a_program(two_steps().graph)

    def executed(self) -> UUID:
        execution_id, inputs = uuid4(), {"question": "What is 2 + 3?"}
        self.world.do(
            RequestExecution(execution_id=execution_id, program_id=self.program_id, inputs=inputs)
        )
        self.world.do(RunExecution(execution_id=execution_id))
        return execution_id

    def replayed(self, execution_id: UUID) -> object:
        self.world.do(RequestReplay(execution_id=execution_id))
        self.world.do(RunReplay(execution_id=execution_id, replay=1))
        return self.world.events(execution_id)[-1]

    def a_dataset(self) -> UUID:
        dataset_id = uuid4()
        self.world.do(CreateDataset(dataset_id=dataset_id, name="sums"))
        for split in Split:
            rows = tuple(dict(row) for row in sums(8))
            self.world.do(LoadRows(dataset_id=dataset_id, split=split, rows=rows))
        return dataset_id


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.feature("EXE-08")
def test_exe_08_an_execution_books_what_the_model_was_asked(scene: Scene) -> None:
    events = scene.world.events(scene.executed())
    completed = events[-1]
    assert isinstance(completed, ExecutionCompleted)
    assert completed.spend.calls == scene.engine.calls == 2
    assert completed.spend.total_tokens == 20
    nodes = [event.call.node for event in events if isinstance(event, ExecutionLmCalled)]
    assert nodes[0] == "plan"


def test_a_replay_answers_a_model_of_chance_from_the_log(scene: Scene) -> None:
    execution_id = scene.executed()
    verdict = scene.replayed(execution_id)
    assert isinstance(verdict, ReplayVerified)
    assert verdict.answered_from_log == scene.engine.calls == 2


def test_an_execution_that_an_outage_ended_replays_to_the_same_end(scene: Scene) -> None:
    scene.engine.broken = frozenset({2})
    execution_id = scene.executed()
    failed = scene.world.events(execution_id)[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.failure.retryable
    assert failed.spend.calls == 2
    assert isinstance(scene.replayed(execution_id), ReplayVerified)
    assert scene.engine.calls == 2


@pytest.mark.feature("OPT-09")
@pytest.mark.feature("OPT-20")
def test_opt_20_an_interrupted_optimization_goes_on_and_is_adopted(scene: Scene) -> None:
    optimization_id = uuid4()
    scene.engine.broken = frozenset({11})
    scene.world.do(
        RequestOptimization(
            optimization_id=optimization_id,
            program_id=scene.program_id,
            optimizer="bootstrap_random_search",
            config={"num_candidate_programs": 1, "max_labeled_demos": 3},
            dataset_id=scene.a_dataset(),
            metric="exact_match",
        )
    )
    run = RunOptimization(optimization_id=optimization_id)
    with pytest.raises(RunInterrupted):
        scene.world.do(run)
    scene.world.do(run)
    events = scene.world.events(optimization_id)
    completed = events[-1]
    assert isinstance(completed, OptimizationCompleted)
    calls = [event.call for event in events if isinstance(event, OptimizationLmCalled)]
    answered = [call.key for call in calls if call.response is not None]
    assert len(answered) == len(set(answered))
    assert completed.spend.calls == len(calls)
    # Calls that were in flight when the run stopped come too late to be booked by it.
    assert 0 <= scene.engine.calls - len(calls) < THREADS
    trials = [event.trial for event in events if isinstance(event, TrialScored)]
    assert trials == [*range(1, completed.trials + 1)]
    scene.world.do(AdoptOptimization(optimization_id=optimization_id))
    adopted = scene.world.events(scene.program_id)[-1]
    assert isinstance(adopted, ProgramCompiled)
    assert adopted.training_score == completed.training_score
    assert isinstance(scene.world.events(scene.executed())[-1], ExecutionCompleted)


@pytest.mark.feature("EVL-01")
def test_evl_01_an_evaluation_scores_every_row_with_several_threads(scene: Scene) -> None:
    evaluation_id = uuid4()
    scene.world.do(
        RequestEvaluation(
            evaluation_id=evaluation_id,
            program_id=scene.program_id,
            dataset_id=scene.a_dataset(),
            metric="exact_match",
        )
    )
    scene.world.do(RunEvaluation(evaluation_id=evaluation_id))
    completed = scene.world.events(evaluation_id)[-1]
    assert isinstance(completed, EvaluationCompleted)
    assert completed.rows_total == 8
    assert completed.rows_failed == 0
    assert completed.spend.calls == scene.engine.calls == 16
