"""Agents over HTTP: refused, run with two tools, shown, killed and taken up again, replayed."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import JsonValue
from starlette.testclient import TestClient

from application.datasets import CreateDataset, LoadRows
from application.evaluations import RequestEvaluation, RunEvaluation
from application.executions import RequestExecution, RunExecution
from application.lm_ports import JsonObject
from application.optimizations import RequestOptimization, RunOptimization
from application.replays import RequestReplay, RunReplay
from application.tool_ports import OutsideTool
from domain.dataset.values import Split
from domain.evaluation.events import EvaluationCompleted, EvaluationToolCalled
from domain.execution.events import ExecutionCompleted, ExecutionToolCalled, ReplayVerified
from domain.module.events import ModuleCreated
from domain.module.parameters import Agent
from domain.optimization.events import OptimizationCompleted, OptimizationToolCalled
from domain.program.graph import ProgramGraph
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.api import ApiWorld
from tests.support.dspy_programs import bound, engine_on
from tests.support.handwritten import Told
from tests.support.run_world import Killed, World

SEARCH = {
    "kind": "python",
    "name": "search",
    "description": "Find articles.",
    "entry_point": "shop.tools:search",
    "arguments": [{"name": "query"}],
}
FINISH: JsonObject = {"next_thought": "Done.", "next_tool_name": "finish", "next_tool_args": {}}
ANSWER: JsonObject = {"reasoning": "I read it.", "answer": "300 m"}
QUESTION = {"question": "How high is the Eiffel Tower?"}


def acting(tool: str, **arguments: JsonValue) -> JsonObject:
    return {"next_thought": f"I {tool}.", "next_tool_name": tool, "next_tool_args": arguments}


class Shop:
    """Finds something new each time it is asked; the process dies at a call."""

    def __init__(self) -> None:
        self.asked: list[JsonObject] = []
        self.dies_at = 0

    def call(self, tool: OutsideTool, arguments: JsonObject) -> JsonValue:
        self.asked.append(arguments)
        if len(self.asked) == self.dies_at:
            raise Killed
        return f"{tool.name} {len(self.asked)}: 300 m high"


def model() -> Told:
    """Searches, asks its helper, then answers; the helper answers at once."""
    return Told(
        ("## topic", {"summary": "It is high."}),
        ("## reasoning", ANSWER),
        ("`reasoning", ANSWER),
        ("observation_1", FINISH),
        ("observation_0", acting("helper", topic="towers")),
        ("", acting("search", query="Eiffel")),
    )


def agent(*tools: dict[str, Any]) -> dict[str, Any]:
    signature = {"inputs": [{"name": "question"}], "outputs": [{"name": "answer"}]}
    node = {
        "id": "agent",
        "module": {
            "kind": "react",
            "signature": signature,
            "config": {"temperature": 0, "max_tokens": 100},
            "parameters": {"tools": list(tools)},
        },
        "inputs": {"question": {"field": "question"}},
    }
    return {
        "signature": signature,
        "nodes": [node],
        "outputs": {"answer": {"node": "agent", "field": "answer"}},
    }


def helper(program_id: str) -> dict[str, Any]:
    return {
        "kind": "program",
        "name": "helper",
        "description": "Sums a topic up.",
        "program_id": program_id,
        "program_version": 1,
    }


class Scene:
    """The API over DSPy and a shop that is the only tool outside."""

    def __init__(self) -> None:
        self.world, self.shop, self.engine = ApiWorld(), Shop(), model()
        self.world.runner = DspyRunner(bound(self.engine), toolbox=self.shop)  # type: ignore[assignment]  # another runner
        self.world.bus = self.world._bus()
        self.http: TestClient = self.world.client()

    def posts(self, path: str, body: Any, status: int = 201) -> Any:
        reply = self.http.post(path, json=body)
        assert reply.status_code == status, reply.text
        return reply.json()

    def an_agent(self) -> str:
        modules = [{"kind": "predict", "signature_syntax": "topic -> summary"}]
        made = self.posts("/v1/programs", {"name": "helper", "modules": modules})
        graph = agent(SEARCH, helper(made["id"]))
        return str(self.posts("/v1/programs", {"name": "agent", "graph": graph})["id"])


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    with scene.http:
        yield scene


@pytest.mark.feature("MOD-25")
def test_mod_25_a_tool_that_is_not_allowed_is_forbidden(scene: Scene) -> None:
    wrong = {**SEARCH, "entry_point": "os:system"}
    told = scene.posts("/v1/programs", {"name": "agent", "graph": agent(wrong)}, 403)
    assert told["code"] == "tool.not_allowed"
    (fault,) = told["faults"]
    assert fault["pointer"] == "/graph/nodes/0/module/parameters/tools/0"
    modules = [
        {
            "kind": "react",
            "signature_syntax": "question -> answer",
            "parameters": {"tools": [wrong]},
        }
    ]
    told = scene.posts("/v1/programs", {"name": "agent", "modules": modules}, 403)
    assert told["faults"][0]["pointer"] == "/modules/0"


@pytest.mark.feature("MOD-25")
def test_mod_25_a_tool_of_no_use_is_refused_with_every_fault(scene: Scene) -> None:
    wrong = {**SEARCH, "name": "finish", "arguments": [{"name": "1st"}]}
    told = scene.posts("/v1/programs", {"name": "agent", "graph": agent(wrong)}, 422)
    at = "/graph/nodes/0/module/parameters/tools/0"
    assert [fault["pointer"] for fault in told["faults"]] == [
        f"{at}/name",
        f"{at}/arguments/0/name",
    ]


@pytest.mark.feature("TRC-01")
@pytest.mark.feature("TRC-02")
@pytest.mark.feature("FUT-10")
def test_trc_01_an_execution_shows_its_calls_of_models_and_tools_in_their_order(
    scene: Scene,
) -> None:
    scene.an_agent()
    ended = scene.posts("/v1/programs/agent/execute", {"inputs": QUESTION}, 200)
    assert ended["outputs"] == {"answer": "300 m"}
    assert (ended["token_usage"]["calls"], ended["tool_calls"]) == (5, 2)
    path = f"/v1/executions/{ended['execution_id']}"
    trace = scene.http.get(f"{path}/trace").json()["items"]
    assert [(each["kind"], each["node"], each.get("tool")) for each in trace] == [
        ("model", "agent", None),
        ("tool", "agent", "search"),
        ("model", "agent", None),
        ("model", "agent.helper/predict", None),
        ("tool", "agent", "helper"),
        ("model", "agent", None),
        ("model", "agent", None),
    ]
    assert [each["index"] for each in trace] == [*range(1, 8)]
    (searched, helped) = (each for each in trace if each["kind"] == "tool")
    assert (searched["arguments"], searched["result"]) == (
        {"query": "Eiffel"},
        "search 1: 300 m high",
    )
    assert (helped["arguments"], helped["result"]) == (
        {"topic": "towers"},
        {"summary": "It is high."},
    )
    assert all(each["latency_ms"] >= 0 for each in trace)
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = scene.http.get(f"{path}/trace?limit=3{cursor and f'&cursor={cursor}'}").json()
        pages, cursor = pages + page["items"], page["next"]
    assert pages == trace


def test_a_replay_calls_neither_the_model_nor_a_tool_and_counts_both(scene: Scene) -> None:
    scene.an_agent()
    ended = scene.posts("/v1/programs/agent/execute", {"inputs": QUESTION}, 200)
    before = scene.engine.calls
    verdict = scene.posts(f"/v1/executions/{ended['execution_id']}/replay", None, 200)
    assert (verdict["outcome"], verdict["answered_from_log"]) == ("verified", 7)
    assert (scene.engine.calls, len(scene.shop.asked)) == (before, 1)


def test_a_text_that_was_erased_is_null_in_the_trace(scene: Scene) -> None:
    scene.an_agent()
    ended = scene.posts("/v1/programs/agent/execute", {"inputs": QUESTION}, 200)
    scene.world.payloads.erase_everything()
    trace = scene.http.get(f"/v1/executions/{ended['execution_id']}/trace").json()["items"]
    used = [each for each in trace if each["kind"] == "tool"]
    assert [(each["arguments"], each["result"]) for each in used] == [(None, None)] * 2


def test_what_a_killed_attempt_did_with_tools_is_not_done_again() -> None:
    engine = Told(
        ("## reasoning", ANSWER),
        ("`reasoning", ANSWER),
        ("observation_1", FINISH),
        ("observation_0", acting("search", query="two")),
        ("", acting("search", query="one")),
    )
    world, shop = World(), Shop()
    deployed = bound(engine)
    world.bus = world.bus_with(engine_on(deployed, toolbox=shop))
    program_id = world.a_program(ProgramGraph.model_validate(agent(SEARCH)))
    execution_id = uuid4()
    world.do(RequestExecution(execution_id=execution_id, program_id=program_id, inputs=QUESTION))
    shop.dies_at = 2
    with pytest.raises(Killed):
        world.do(RunExecution(execution_id=execution_id))
    asked_by_the_killed = engine.calls
    world.do(RunExecution(execution_id=execution_id))
    assert isinstance(world.events(execution_id)[-1], ExecutionCompleted)
    # The first search is on record; the second one never gave a result, so it is made again.
    assert [each["query"] for each in shop.asked] == ["one", "two", "two"]
    assert engine.calls == asked_by_the_killed + 2
    assert len([e for e in world.events(execution_id) if isinstance(e, ExecutionToolCalled)]) == 2
    world.do(RequestReplay(execution_id=execution_id))
    world.do(RunReplay(execution_id=execution_id, replay=1))
    assert isinstance(world.events(execution_id)[-1], ReplayVerified)
    assert len(shop.asked) == 3


class Learning(World):
    """A world with an agent, rows to learn from, and DSPy on a model that knows the way."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self.engine = Told(
            ("## reasoning", ANSWER),
            ("`reasoning", ANSWER),
            ("observation_0", FINISH),
            ("", acting("search", query="Eiffel")),
        )
        deployed = bound(self.engine, concurrency=3)
        self.bus = self.bus_with(engine_on(deployed, toolbox=shop))
        self.program_id = self.a_program(ProgramGraph.model_validate(agent(SEARCH)))
        self.dataset_id = uuid4()
        self.do(CreateDataset(dataset_id=self.dataset_id, name="towers"))
        for split in Split:
            rows = tuple({"question": f"{split} {n}?", "answer": "300 m"} for n in range(4))
            self.do(LoadRows(dataset_id=self.dataset_id, split=split, rows=rows))

    def used(self, run_id: UUID) -> int:
        tools = EvaluationToolCalled | OptimizationToolCalled
        return len([event for event in self.events(run_id) if isinstance(event, tools)])


def test_an_evaluation_that_was_killed_searches_for_no_row_again() -> None:
    shop = Shop()
    world, evaluation_id = Learning(shop), uuid4()
    world.do(
        RequestEvaluation(
            evaluation_id=evaluation_id,
            program_id=world.program_id,
            dataset_id=world.dataset_id,
            metric="exact_match",
        )
    )
    shop.dies_at = 4
    with pytest.raises(Killed):
        world.do(RunEvaluation(evaluation_id=evaluation_id))
    world.do(RunEvaluation(evaluation_id=evaluation_id))
    ended = world.events(evaluation_id)[-1]
    assert isinstance(ended, EvaluationCompleted)
    assert ended.score == 1
    assert world.used(evaluation_id) == 4
    assert len(shop.asked) == 5


def test_an_optimizer_that_tries_a_row_again_searches_once() -> None:
    shop = Shop()
    world, optimization_id = Learning(shop), uuid4()
    world.do(
        RequestOptimization(
            optimization_id=optimization_id,
            program_id=world.program_id,
            dataset_id=world.dataset_id,
            optimizer="bootstrap_random_search",
            metric="exact_match",
            config={"num_candidate_programs": 2, "max_bootstrapped_demos": 1},
        )
    )
    shop.dies_at = 3
    with pytest.raises(Killed):
        world.do(RunOptimization(optimization_id=optimization_id))
    world.do(RunOptimization(optimization_id=optimization_id))
    ended = world.events(optimization_id)[-1]
    assert isinstance(ended, OptimizationCompleted), ended
    assert ended.training_score == 1
    assert world.used(optimization_id) == 4
    assert len(shop.asked) == 5


@pytest.mark.feature("MOD-25")
def test_mod_25_a_tool_on_the_shelf_is_copied_into_the_modules_that_name_it(scene: Scene) -> None:
    tool_id = scene.posts("/v1/tools", {"spec": SEARCH})["id"]
    again = scene.posts("/v1/tools", {"spec": SEARCH}, 409)
    assert again["code"] == "name.taken"
    module = {"name": "seeker", "kind": "react", "signature": "question -> answer"}
    made = scene.posts("/v1/modules", {**module, "tools": [tool_id]})
    (created,) = [
        each.event
        for each in scene.world.log.recorded
        if isinstance(each.event, ModuleCreated) and str(each.originator_id) == made["id"]
    ]
    assert isinstance(created.spec.parameters, Agent)
    assert [tool.name for tool in created.spec.parameters.tools] == ["search"]
    choice = {"kind": "react", "signature_syntax": "question -> answer", "tools": [tool_id]}
    scene.posts("/v1/programs", {"name": "direct", "modules": [choice]})
    wrong = {"kind": "predict", "signature_syntax": "question -> answer", "tools": [tool_id]}
    told = scene.posts("/v1/programs", {"name": "none", "modules": [wrong]}, 422)
    assert [fault["code"] for fault in told["faults"]] == ["tools.not_for_kind"]
    absent = {**choice, "tools": [str(uuid4())]}
    told = scene.posts("/v1/programs", {"name": "none", "modules": [absent]}, 422)
    assert [(fault["pointer"], fault["code"]) for fault in told["faults"]] == [
        ("/modules/0/tools/0", "reference.unknown")
    ]
    scene.posts(f"/v1/tools/{tool_id}/retire", {"reason": "Old."}, 200)
    told = scene.posts("/v1/modules", {**module, "name": "late", "tools": [tool_id]}, 409)
    assert told["code"] == "tool.retired"


@pytest.mark.feature("MOD-25")
def test_mod_25_what_is_not_allowed_does_not_come_onto_the_shelf(scene: Scene) -> None:
    told = scene.posts("/v1/tools", {"spec": {**SEARCH, "entry_point": "os:system"}}, 403)
    assert (told["code"], told["faults"][0]["pointer"]) == ("tool.not_allowed", "/spec")
    told = scene.posts("/v1/tools", {"spec": {**SEARCH, "name": "finish"}}, 422)
    assert (told["code"], told["faults"][0]["pointer"]) == ("tool.invalid", "/spec/name")
