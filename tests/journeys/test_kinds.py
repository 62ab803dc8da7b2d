"""Every kind of module executed and replayed under the real handlers, also after a kill."""

from uuid import UUID, uuid4

import pytest

from application.datasets import CreateDataset, LoadRows
from application.executions import RequestExecution, RunExecution
from application.replays import RequestReplay, RunReplay
from domain.dataset.values import Split
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionToolCalled,
    ReplayVerified,
)
from domain.module.values import ModuleKind, Nearest
from domain.program.graph import ProgramGraph
from infrastructure.dspy_runtime.interpreter import Limits
from tests.support.dspy_programs import bound, engine_on
from tests.support.handwritten import (
    CORPUS,
    DATASET,
    QUESTION,
    REPLIES,
    ROWS,
    TEXTS,
    THOUGHT,
    Shelf,
    Told,
    as_data,
)
from tests.support.run_world import World

KINDS = sorted(set(ModuleKind) - {ModuleKind.CUSTOM})


class Scene:
    """A world whose model says to a module what that is there for."""

    def __init__(self, kind: str, *, code: Limits | None) -> None:
        self.world, self.engine = World(), Told(*REPLIES.get(kind, (("", THOUGHT),)))
        model = bound(self.engine)
        self.world.bus = self.world.bus_with(engine_on(model, toolbox=Shelf(), code=code))
        self._load(DATASET, "examples", tuple(dict(row) for row in ROWS))
        self._load(CORPUS.dataset_id, "texts", tuple({"text": text} for text in TEXTS))

    def executed(self, graph: ProgramGraph) -> UUID:
        execution_id, program_id = uuid4(), self.world.a_program(graph)
        inputs = {"question": QUESTION}
        self.world.do(
            RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs)
        )
        self.world.do(RunExecution(execution_id=execution_id))
        return execution_id

    def replayed(self, execution_id: UUID) -> object:
        self.world.do(RequestReplay(execution_id=execution_id))
        self.world.do(RunReplay(execution_id=execution_id, replay=1))
        return self.world.events(execution_id)[-1]

    def _load(self, id: UUID, name: str, rows: tuple[dict[str, object], ...]) -> None:
        self.world.do(CreateDataset(dataset_id=id, name=name))
        body = {"dataset_id": id, "split": Split.TRAIN, "rows": rows}
        self.world.do(LoadRows.model_validate(body))


@pytest.mark.feature("FUT-09")
@pytest.mark.parametrize("kind", KINDS)
def test_fut_09_a_program_of_each_kind_is_executed_and_replayed(kind: str) -> None:
    scene = Scene(kind, code=Limits())
    execution_id = scene.executed(as_data(kind).graph)
    assert isinstance(scene.world.events(execution_id)[-1], ExecutionCompleted)
    asked = scene.engine.calls
    assert isinstance(scene.replayed(execution_id), ReplayVerified)
    assert scene.engine.calls == asked


@pytest.mark.feature("MOD-26")
@pytest.mark.parametrize("kind", ["program_of_thought", "code_act", "rlm"])
def test_mod_26_a_program_from_a_time_when_code_was_allowed_fails_in_words(kind: str) -> None:
    scene = Scene(kind, code=None)
    execution_id = scene.executed(as_data(kind).graph)
    failed = scene.world.events(execution_id)[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.failure.code == "module.code_not_allowed"
    assert scene.engine.calls == 0


@pytest.mark.feature("MOD-22")
def test_mod_22_an_agent_that_never_finishes_is_a_failed_execution_with_all_it_did() -> None:
    scene = Scene("react", code=None)
    scene.engine._replies = (("", REPLIES["react"][-1][1]),)
    execution_id = scene.executed(as_data("react").graph)
    events = scene.world.events(execution_id)
    assert isinstance(events[-1], ExecutionFailed)
    assert events[-1].failure.code == "max_iterations_reached"
    kinds = [type(event) for event in events if "called" in event.TOPIC]
    assert kinds == [ExecutionLmCalled, ExecutionToolCalled] * 5


@pytest.mark.feature("VIS-07")
def test_vis_07_rows_of_a_dataset_stand_in_the_prompt_of_a_program() -> None:
    scene = Scene("predict", code=None)
    config = {"nearest": Nearest(dataset_id=DATASET, k=3)}
    execution_id = scene.executed(as_data("predict", config=config).graph)
    (request,) = scene.engine.requests
    prompt = repr(request.messages)
    assert [str(row["question"]) in prompt for row in ROWS].count(True) == 3
    assert isinstance(scene.replayed(execution_id), ReplayVerified)
