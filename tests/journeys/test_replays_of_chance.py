"""What a model of chance said is enough to repeat it; whatever else was changed is found."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.context import within
from application.differences import difference
from application.executions import RequestExecution, RunExecution
from application.lm_ports import CallJournal, JsonObject, RunnableProgram
from application.payloads import canonical_json
from application.replays import RequestReplay, RunReplay
from domain.execution.aggregate import Execution
from domain.execution.events import ExecutionCompleted, ReplayDiverged, ReplayVerified
from domain.module.parameters import Agent
from domain.module.values import DEFAULTS, ModuleKind
from domain.program.edits import PredictorEdit
from domain.program.graph import ModuleNode, ProgramGraph
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.values import PayloadRef, ToolCall
from infrastructure.dspy_runtime.engine import DspyEngine
from tests.support.dspy_programs import FakeEngine, bound, engine_on
from tests.support.graphs import program, step
from tests.support.handwritten import LOOK, REPLIES, Shelf, Told, as_data
from tests.support.mixed_programs import Chance, Mixed, engine_of_chance
from tests.support.run_world import CONTEXT, World


@pytest.mark.parametrize("threads", [1, 8])
def test_executions_of_every_kind_are_verified_without_the_model(threads: int) -> None:
    world, model = World(), Chance()
    world.bus = world.bus_with(engine_of_chance(model))
    mixed = Mixed(world)
    ids = mixed.executed(112, threads)
    ended = Counter(type(world.events(each)[-1]) for each in ids)
    assert ended[ExecutionCompleted] > 100
    asked = model.calls
    verdicts = mixed.replayed(ids, threads)
    assert [each for each in verdicts if not isinstance(each, ReplayVerified)] == []
    assert model.calls == asked


Change = Callable[[RunnableProgram], RunnableProgram]


class Meddled:
    """An engine that is handed another program than it is told of."""

    def __init__(self, engine: DspyEngine, change: Change) -> None:
        self._engine, self._change = engine, change

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        changed = replace(self._change(program), key="another")
        return self._engine.execute(changed, inputs, journal, live=live, within_s=within_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


PLANNED = program(
    "question, hint -> answer",
    step("plan", "question, hint -> reasoning", question="question", hint="hint"),
    step("solve", "question, plan -> answer", question="question", plan="plan.reasoning"),
    answer="solve.answer",
)
AGENT = as_data("react").graph


@dataclass(frozen=True)
class Recorded:
    """An execution on record, and the world that it was recorded in."""

    world: World
    id: UUID

    @property
    def now(self) -> Execution:
        with within(CONTEXT):
            return self.world.executions.get(self.id)

    def replayed(self, change: Change, model: str = "fake/model") -> ReplayDiverged:
        """What comes of a replay of another program, or for another *model*."""
        binding = replace(bound(FakeEngine()), model=model)
        engine = Meddled(engine_on(binding, toolbox=Shelf()), change)
        self.world.bus = self.world.bus_with(engine)  # type: ignore[arg-type]  # the rest is delegated
        self.world.do(RequestReplay(execution_id=self.id))
        self.world.do(RunReplay(execution_id=self.id, replay=1))
        verdict = self.world.events(self.id)[-1]
        assert isinstance(verdict, ReplayDiverged)
        return verdict

    def altered(self, ref: PayloadRef, change: Callable[[Any], Any]) -> None:
        """Put another text where one lies, as somebody with rights on the database may."""
        bodies = self.world.payloads._bodies
        kept = ("acme", ref.digest)
        bodies[kept] = canonical_json(change(json.loads(bodies[kept])))


def recorded(graph: ProgramGraph) -> Recorded:
    model = Told(*REPLIES["react"]) if graph is AGENT else Chance()
    world, execution_id = World(), uuid4()
    world.bus = world.bus_with(engine_on(bound(model), toolbox=Shelf()))
    program_id = world.a_program(graph)
    given = {"question": "Is it tall?", "hint": "Look up."}
    inputs = {field.name: given[field.name] for field in graph.signature.inputs}
    wish = RequestExecution(execution_id=execution_id, program_id=program_id, inputs=inputs)
    world.do(wish)
    world.do(RunExecution(execution_id=execution_id))
    assert isinstance(world.events(execution_id)[-1], ExecutionCompleted)
    return Recorded(world, execution_id)


def same(program: RunnableProgram) -> RunnableProgram:
    return program


def edited(path: str, **edit: Any) -> Change:
    return lambda it: replace(it, edits={path: PredictorEdit(**edit)})


def node(id: str, **changed: Any) -> Change:
    """Another module at the node *id*."""

    def change(it: RunnableProgram) -> RunnableProgram:
        nodes = tuple(
            each.model_copy(update={"module": each.module.model_copy(update=changed)})
            if isinstance(each, ModuleNode) and each.id == id
            else each
            for each in it.graph.nodes
        )
        return replace(it, graph=it.graph.model_copy(update={"nodes": nodes}))

    return change


def config(id: str, **changed: Any) -> Change:
    return node(id, config=DEFAULTS[ModuleKind.PREDICT].model_copy(update=changed))


def fields(*inputs: str, output: str = "answer", description: str | None = None) -> Any:
    """The signature of the node ``solve``, with its fields otherwise."""
    return SignatureSpec(
        inputs=tuple(FieldSpec(name=name, description=description) for name in inputs),
        outputs=(FieldSpec(name=output),),
    )


DEMO = {"question": "Is Rome big?", "hint": "Think.", "reasoning": "It is."}
CHANGES: dict[str, tuple[ProgramGraph, Change, str, int, str]] = {
    "a demo": (PLANNED, edited("plan", demos=(DEMO,)), "plan", 1, "Is Rome big?"),
    "an instruction": (PLANNED, edited("solve", instructions="Be brief."), "solve", 2, "Be brief."),
    "the order of fields": (
        PLANNED,
        node("solve", signature=fields("plan", "question")),
        "solve",
        2,
        "`plan` (str)",
    ),
    "a description": (
        PLANNED,
        node("solve", signature=fields("question", "plan", description="Read me.")),
        "solve",
        2,
        "Read me.",
    ),
    "the adapter": (PLANNED, lambda it: replace(it, adapter="json"), "plan", 1, "JSON"),
    "the temperature": (
        PLANNED,
        config("solve", temperature=0.25),
        "solve",
        2,
        "temperature: 0.25",
    ),
    "the length": (PLANNED, config("plan", max_tokens=77), "plan", 1, "max_tokens: 77"),
    "the kind": (
        PLANNED,
        node("solve", kind=ModuleKind.CHAIN_OF_THOUGHT),
        "solve",
        2,
        "`reasoning` (str)",
    ),
    "the tools": (
        AGENT,
        node("solve", parameters=Agent(tools=(LOOK.model_copy(update={"name": "peek"}),))),
        "solve",
        1,
        "peek",
    ),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_another_program_is_found_at_its_first_other_call(changed: str) -> None:
    graph, change, where, call, shown = CHANGES[changed]
    it = recorded(graph)
    check(it, it.replayed(change), where, call, shown)


def test_another_model_is_found_at_the_first_call() -> None:
    it = recorded(PLANNED)
    check(it, it.replayed(same, model="fake/newer"), "plan", 1, "fake/newer")


def test_other_inputs_are_found_at_the_first_call_that_shows_them() -> None:
    it = recorded(PLANNED)
    it.altered(it.now.inputs, lambda inputs: inputs | {"hint": "Look down."})
    check(it, it.replayed(same), "plan", 1, "Look down.")


def test_another_answer_of_the_model_is_found_at_the_call_after_it() -> None:
    it = recorded(PLANNED)
    answer = it.now.answers[it.now.calls[0].key]
    text = "[[ ## reasoning ## ]]\nIt was told otherwise.\n\n[[ ## completed ## ]]"
    it.altered(answer, lambda said: _saying(said, text))
    check(it, it.replayed(same), "solve", 2, "It was told otherwise.")


def test_another_result_of_a_tool_is_found_at_the_call_after_it() -> None:
    it = recorded(AGENT)
    tool = it.now.calls[1]
    assert isinstance(tool, ToolCall)
    it.altered(tool.result, lambda _: {"result": "It is small."})
    check(it, it.replayed(same), "solve", 3, "It is small.")


def test_another_last_answer_is_found_in_the_outputs() -> None:
    it = recorded(PLANNED)
    text = "[[ ## answer ## ]]\nPerhaps.\n\n[[ ## completed ## ]]"
    it.altered(it.now.answers[it.now.calls[1].key], lambda said: _saying(said, text))
    verdict = it.replayed(same)
    assert (verdict.failure.code, verdict.divergence) == ("replay.outputs_differ", None)


def _saying(said: Any, text: str) -> Any:
    said["message"]["parts"] = [{"type": "text", "text": text}]
    return said


def check(it: Recorded, verdict: ReplayDiverged, where: str, call: int, shown: str) -> None:
    """It left the log at *call*, and the difference to what is on record shows what is new."""
    assert verdict.failure.code == "replay.diverged", verdict.failure
    at = verdict.divergence
    assert at is not None
    assert (at.node, at.call) == (where, call)
    assert at.recorded is not None
    with within(CONTEXT):
        told = difference(it.world.payloads.get(at.recorded), it.world.payloads.get(at.asked))
    assert any(shown in line for line in told.splitlines() if line.startswith("+")), told
