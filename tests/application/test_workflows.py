"""Workflows as people write them: what they name is looked up once, and pinned."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.commands import Command, CommandBus
from application.context import within
from application.ports import Receipt
from application.workflow_wishes import WorkflowPinning
from application.workflows import DefineWorkflow, RetireWorkflow, ReviseWorkflow, WorkflowHandlers
from domain.errors import InvalidError, StaleVersion
from domain.program.aggregate import Program
from domain.tool.aggregate import Tool
from domain.tool.errors import ToolIsNotAllowed
from domain.tool.values import ProgramTool, ToolSpec
from domain.workflow.aggregate import Workflow
from domain.workflow.errors import InvalidWorkflow
from domain.workflow.values import ProgramAction, RecordAction, ToolAction, WorkflowSpec
from tests.support.memory import NOW, FixedClock, MemoryLog, MemoryNames, MemoryRepository
from tests.support.run_world import CONTEXT, GRAPH
from tests.support.supplies import ALLOWED
from tests.support.workflows import tool


@dataclass
class Scene:
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        self.programs = MemoryRepository(Program, self.log)
        self.tools = MemoryRepository(Tool, self.log)
        self.workflows = MemoryRepository(Workflow, self.log)
        pinning = WorkflowPinning(self.programs, self.tools, MemoryNames(self.log), ALLOWED)
        self.bus = CommandBus(WorkflowHandlers(self.workflows, pinning, FixedClock()))
        with within(CONTEXT):
            self.program = Program.create(uuid4(), "triage", GRAPH, at=NOW)
            self.programs.save(self.program)
        self.shelved(tool("go", "to"))

    def shelved(self, spec: ToolSpec, name: str | None = None) -> UUID:
        with within(CONTEXT):
            made = Tool.create(uuid4(), spec, at=NOW)
            self.tools.save(made)
            self.log.claims[CONTEXT.tenant, Tool.KIND, name or spec.name] = made.id
        return made.id

    def do(self, command: Command) -> Receipt:
        return self.bus.dispatch(command, CONTEXT)

    def defined(self, *steps: dict[str, Any], inputs: tuple[str, ...] = ("message",)) -> UUID:
        return self.do(wish(*steps, inputs=inputs)).id

    def spec(self, id: UUID, version: int = 1) -> WorkflowSpec:
        with within(CONTEXT):
            return self.workflows.get(id).spec_of(version)


def wish(*steps: dict[str, Any], inputs: tuple[str, ...] = ("message",)) -> DefineWorkflow:
    fields = [{"name": each} for each in inputs]
    body = {"workflow_id": uuid4(), "name": "orders", "inputs": fields, "steps": steps}
    return DefineWorkflow.model_validate(body)


def program(called: object, **more: object) -> dict[str, Any]:
    given = {"message": {"field": "message"}}
    do = {"kind": "program", "program": str(called), "inputs": given, **more}
    return {"name": "classify", "do": do}


def go(called: object = "go", name: str = "go", **more: object) -> dict[str, Any]:
    do = {"kind": "tool", "tool": str(called), "inputs": {"to": {"value": "Rome"}}}
    return {"name": name, "do": do, **more}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_program_is_pinned_with_what_it_takes_and_gives(scene: Scene) -> None:
    made = scene.defined(program(scene.program.id, retries=4, backoff_s=0.5))
    [step] = scene.spec(made).steps
    assert isinstance(step.do, ProgramAction)
    assert (step.do.program_id, step.do.program_version) == (scene.program.id, 1)
    assert (step.do.takes, step.do.gives) == (GRAPH.signature.inputs, GRAPH.signature.outputs)
    assert (step.do.retries, step.do.backoff_s) == (4, 0.5)


def test_a_tool_is_copied_from_the_shelf_by_name_or_id(scene: Scene) -> None:
    other = scene.shelved(tool("back", "to"))
    back = {"kind": "tool", "tool": str(other), "inputs": {"to": {"value": "Rome"}}}
    [step] = scene.spec(scene.defined(go(undo=back))).steps
    assert isinstance(step.do, ToolAction)
    assert isinstance(step.undo, ToolAction)
    assert (step.do.tool, step.undo.tool) == (tool("go", "to"), tool("back", "to"))


def test_all_that_is_not_there_is_named_at_once(scene: Scene) -> None:
    retired = scene.shelved(tool("old", "to"))
    with within(CONTEXT):
        gone = scene.tools.get(retired)
        gone.retire("superseded", at=NOW)
        scene.tools.save(gone)
    inner = ProgramTool(name="sub", description="It.", program_id=uuid4(), program_version=1)
    missing = {"kind": "program", "program": "gone"}
    steps = [
        program("gone", program_version=1),
        program(scene.program.id, program_version=7) | {"name": "second"},
        go(uuid4(), "third"),
        go("old", "fourth", undo=missing),
        go(scene.shelved(inner), "fifth"),
    ]
    with pytest.raises(InvalidWorkflow) as refused:
        scene.defined(*steps)
    assert [(it.pointer, it.code) for it in refused.value.faults] == [
        ("/steps/0/do/program", "reference.unknown"),
        ("/steps/1/do/program", "reference.unknown"),
        ("/steps/2/do/tool", "reference.unknown"),
        ("/steps/3/do/tool", "tool.retired"),
        ("/steps/3/undo/program", "reference.unknown"),
        ("/steps/4/do/tool", "workflow.tool_is_no_step"),
    ]
    assert "Run the program itself" in refused.value.faults[-1].message


def test_a_tool_that_leads_where_nothing_may_be_reached_is_refused(scene: Scene) -> None:
    away = tool("go", "to").model_copy(update={"entry_point": "os:system"})
    scene.shelved(away, "away")
    with pytest.raises(ToolIsNotAllowed) as refused:
        scene.defined(go("away"))
    assert [it.pointer for it in refused.value.faults] == ["/steps/0/do/tool"]


def test_faults_of_the_wiring_point_into_what_was_sent(scene: Scene) -> None:
    with pytest.raises(InvalidError) as refused:
        scene.defined(program("triage-is-unknown"), inputs=())
    assert refused.value.faults[0].pointer == "/steps/0/do/program"
    with pytest.raises(InvalidWorkflow) as wired:
        scene.defined(program(scene.program.id), inputs=())
    assert [it.pointer for it in wired.value.faults] == ["/steps/0/do/inputs/message/field"]


def test_a_record_is_named_by_what_it_takes(scene: Scene) -> None:
    inputs = {"record_id": {"field": "message"}, "status": {"value": "shipped"}}
    mark = {"name": "mark", "do": {"kind": "record", "resource": "order", "inputs": inputs}}
    [step] = scene.spec(scene.defined(mark)).steps
    assert isinstance(step.do, RecordAction)
    assert (step.do.resource, [*step.do.inputs]) == ("order", ["record_id", "status"])


def test_a_revision_is_decided_on_the_version_that_was_seen(scene: Scene) -> None:
    made = scene.defined(go())
    body = {"workflow_id": made, "steps": [go(name="walk")]}
    scene.do(ReviseWorkflow.model_validate(body | {"expected_version": 1}))
    assert [step.name for step in scene.spec(made, 2).steps] == ["walk"]
    with pytest.raises(StaleVersion):
        scene.do(ReviseWorkflow.model_validate(body | {"expected_version": 1}))


def test_a_workflow_is_retired(scene: Scene) -> None:
    made = scene.defined(go())
    scene.do(RetireWorkflow(workflow_id=made))
    with within(CONTEXT):
        assert scene.workflows.get(made).is_retired
