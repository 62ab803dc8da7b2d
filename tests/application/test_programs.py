"""Commands on programs: written, tested, deployed on evidence, retired."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from application.commands import Command, CommandBus
from application.context import Context, within
from application.errors import NameIsTaken
from application.graphs import GraphReader
from application.modules import CreateModule, ModuleHandlers, RetireModule
from application.ports import Receipt
from application.programs import (
    CreateProgram,
    DeployProgram,
    ProgramHandlers,
    RetireProgram,
    StartTesting,
)
from application.shelf import SignatureShelf
from application.signatures import DefineSignature, RetireSignature, SignatureHandlers
from domain.dataset.values import Split
from domain.errors import InvalidError, StaleVersion
from domain.evaluation.aggregate import Evaluation
from domain.evaluation.events import EvaluationCompleted, EvaluationRequested, EvaluationStarted
from domain.module.aggregate import Module
from domain.module.errors import InvalidModule, ModuleIsRetired
from domain.module.values import ModuleConfig, ModuleKind
from domain.probe.aggregate import Probe
from domain.program.aggregate import Program
from domain.program.errors import ActionIsNotAllowed, EvidenceIsInvalid, InvalidGraph
from domain.program.events import ProgramCreated, ProgramDeployed, ProgramTestingStarted
from domain.program.values import Evidence
from domain.signature.aggregate import Signature
from domain.signature.errors import SignatureIsRetired, SignatureSyntaxError
from domain.signature.syntax import parse
from domain.values import LmSpend, PayloadRef
from tests.support.access import EVERY_ROLE
from tests.support.memory import (
    NOW,
    FixedClock,
    FixedPins,
    MemoryLog,
    MemoryNames,
    MemoryRepository,
    ToldUsers,
)
from tests.support.supplies import supplies_of

CONTEXT = Context(tenant="acme", actor="alice", correlation_id=UUID(int=1), roles=EVERY_ROLE)
INLINE = {"kind": "predict", "signature_syntax": "question -> answer"}
ROWS = PayloadRef(digest="b" * 64, size_bytes=2)
DATASET = UUID(int=9)


def spec(text: str) -> dict[str, Any]:
    return parse(text).model_dump(mode="json")


def graph(**changes: Any) -> dict[str, Any]:
    node = {
        "id": "answer",
        "module": {
            "kind": "predict",
            "signature": spec("question -> answer"),
            "config": {"temperature": 0, "max_tokens": 10},
        },
        "inputs": {"question": {"field": "question"}},
        **changes,
    }
    return {
        "signature": spec("question -> answer"),
        "nodes": [node],
        "outputs": {"answer": {"node": "answer", "field": "answer"}},
    }


class World:
    def __init__(self) -> None:
        self.log, clock = MemoryLog(), FixedClock()
        signatures = MemoryRepository(Signature, self.log)
        shelf = SignatureShelf(signatures, MemoryNames(self.log), clock)
        modules = MemoryRepository(Module, self.log)
        programs = MemoryRepository(Program, self.log)
        self.evaluations = MemoryRepository(Evaluation, self.log)
        supplies = supplies_of(self.log)
        graphs = GraphReader(modules, signatures, supplies, MemoryRepository(Probe, self.log))
        self.bus = CommandBus(
            SignatureHandlers(signatures, shelf, ToldUsers(), clock),
            ModuleHandlers(modules, signatures, shelf, supplies, clock),
            ProgramHandlers(programs, graphs, self.evaluations, FixedPins(), clock),
        )
        self.signature_id, self.module_id = uuid4(), uuid4()
        self.does(
            DefineSignature(signature_id=self.signature_id, name="qa", syntax="question -> answer")
        )
        self.does(
            CreateModule.model_validate(
                {
                    "module_id": self.module_id,
                    "name": "qa",
                    "kind": "chain_of_thought",
                    "signature_id": self.signature_id,
                    "config": {"temperature": 0.25},
                }
            )
        )

    def does(self, command: Command) -> Receipt:
        return self.bus.dispatch(command, CONTEXT)

    def creates(self, name: str = "qa", **written: Any) -> UUID:
        made = uuid4()
        body = written or {"modules": [INLINE]}
        self.does(CreateProgram.model_validate({"program_id": made, "name": name, **body}))
        return made

    def evaluates(self, program_id: UUID, *, completed: bool = True) -> UUID:
        wish = EvaluationRequested(
            program_id=program_id,
            program_version=1,
            dataset_id=DATASET,
            split=Split.HELDOUT,
            dataset_rows=2,
            metric="f1_score",
        )
        evaluation = Evaluation.begin(uuid4(), wish, at=NOW)
        if completed:
            evaluation.record(EvaluationStarted(attempt=1, worker="w"), at=NOW)
            done = EvaluationCompleted(
                score=0.5, rows=ROWS, rows_total=2, rows_failed=0, duration_ms=1, spend=LmSpend()
            )
            evaluation.record(done, at=NOW)
        with within(CONTEXT):
            self.evaluations.save(evaluation)
        return evaluation.id

    @property
    def created(self) -> ProgramCreated:
        event = self.log.recorded[-1].event
        assert isinstance(event, ProgramCreated)
        return event

    @property
    def last(self) -> object:
        return self.log.recorded[-1].event


@pytest.fixture
def world() -> World:
    return World()


def pointers(error: InvalidError) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in error.faults]


def test_a_program_of_one_inline_module(world: World) -> None:
    world.creates(modules=[{**INLINE, "config": {"max_tokens": 64}}], description="Q&A")
    [node] = world.created.graph.nodes
    assert (node.id, node.module_id, node.module.kind) == ("predict", None, ModuleKind.PREDICT)
    assert node.module.config == ModuleConfig(temperature=0.0, max_tokens=64)
    assert world.created.graph.signature == parse("question -> answer")
    assert world.created.description == "Q&A"


def test_a_program_of_a_module_from_the_shelf_keeps_a_copy(world: World) -> None:
    world.creates(modules=[{"module_id": world.module_id, "config": {"max_tokens": 64}}])
    [node] = world.created.graph.nodes
    assert (node.id, node.module_id) == ("chain_of_thought", world.module_id)
    assert node.module.config == ModuleConfig(temperature=0.25, max_tokens=64)
    assert list(world.created.graph.outputs) == ["reasoning", "answer"]


def test_a_program_of_a_stored_signature(world: World) -> None:
    world.creates(modules=[{"kind": "predict", "signature_id": world.signature_id}])
    assert world.created.graph.signature == parse("question -> answer")


def test_a_program_of_a_graph(world: World) -> None:
    world.creates(graph=graph(module_id=str(world.module_id)))
    assert [node.id for node in world.created.graph.nodes] == ["answer"]


@pytest.mark.feature("PRG-01")
def test_prg_01_a_name_is_held_by_one_program(world: World) -> None:
    world.creates("triage")
    with pytest.raises(NameIsTaken):
        world.creates("triage")


@pytest.mark.feature("PRG-01")
def test_prg_01_a_program_needs_a_name() -> None:
    with pytest.raises(ValidationError) as refused:
        CreateProgram.model_validate({"program_id": uuid4(), "modules": [INLINE]})
    assert [error["loc"] for error in refused.value.errors()] == [("name",)]


@pytest.mark.feature("PRG-05")
@pytest.mark.parametrize("key", ["forward", "forward_fn"])
def test_prg_05_code_is_refused_with_a_pointer_to_the_docs(world: World, key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        world.creates(modules=[INLINE], **{key: "def forward(self, question): ..."})
    [error] = refused.value.errors()
    assert (error["type"], error["loc"]) == ("program.code_refused", (key,))
    assert "docs/explanation/programs-are-graphs.md" in error["msg"]


def test_no_code_is_no_fault(world: World) -> None:
    world.creates(modules=[INLINE], forward=None)


@pytest.mark.feature("PRG-08")
@pytest.mark.parametrize("key", ["status", "stage", "version", "metrics", "compiled_state", "id"])
def test_prg_08_only_what_is_asked_for_can_be_set(world: World, key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        world.creates(modules=[INLINE], **{key: "production"})
    assert [(error["type"], error["loc"]) for error in refused.value.errors()] == [
        ("extra_forbidden", (key,))
    ]


@pytest.mark.feature("PRG-08")
def test_prg_08_name_description_and_config_are_taken(world: World) -> None:
    world.creates(
        "triage", description="d", config={"k": [1]}, modules=[INLINE], default_optimizer="copro"
    )
    created = world.created
    assert (created.name, created.description, created.config) == ("triage", "d", {"k": [1]})
    assert created.default_optimizer == "copro"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "program.one_form"),
        ({"modules": [INLINE], "graph": graph()}, "program.one_form"),
        ({"modules": []}, "too_short"),
        ({"modules": [INLINE, INLINE]}, "too_long"),
        ({"modules": [{}]}, "module.one_way"),
        ({"modules": [{"kind": "predict"}]}, "module.one_way"),
        ({"modules": [{"signature_syntax": "a -> b"}]}, "module.one_way"),
        ({"modules": [{**INLINE, "signature_id": str(uuid4())}]}, "module.one_way"),
        ({"modules": [{**INLINE, "module_id": str(uuid4())}]}, "module.one_way"),
        ({"modules": [{"module_id": str(uuid4()), "kind": "predict"}]}, "module.one_way"),
        ({"modules": [INLINE], "config": {"k": float("nan")}}, "json.not_finite"),
        ({"modules": [INLINE], "description": "\ud800"}, "text.unsafe"),
        ({"graph": graph(id="Answer")}, "string_pattern_mismatch"),
        ({"graph": graph(inputs={"question": {"field": "\ud800"}})}, "text.unsafe"),
        ({"modules": [{**INLINE, "signature_syntax": "\x00"}]}, "text.unsafe"),
        ({"modules": [INLINE], "default_optimizer": "\x00"}, "text.unsafe"),
    ],
)
def test_a_malformed_program_is_refused(body: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CreateProgram.model_validate({"program_id": uuid4(), "name": "qa", **body})
    assert code in [error["type"] for error in refused.value.errors()]


@pytest.mark.parametrize(
    ("body", "error", "faults"),
    [
        (
            {"modules": [{"kind": "predict", "signature_syntax": "a b"}]},
            SignatureSyntaxError,
            [("/modules/0/signature_syntax", "invalid_signature_format")],
        ),
        (
            {"modules": [{"kind": "predict", "signature_id": UUID(int=7)}]},
            InvalidError,
            [("/modules/0/signature_id", "reference.unknown")],
        ),
        (
            {"modules": [{"module_id": UUID(int=7)}]},
            InvalidError,
            [("/modules/0/module_id", "reference.unknown")],
        ),
        (
            {"modules": [{**INLINE, "config": {"demos": [{"x": 1}]}}]},
            InvalidModule,
            [("/modules/0/config/demos/0/x", "demo.unknown_field")],
        ),
        (
            {
                "modules": [
                    {
                        "kind": "chain_of_thought",
                        "signature_syntax": ", ".join(f"f{n}" for n in range(199)) + " -> out",
                    }
                ]
            },
            InvalidGraph,
            [("/modules/0", "fields.too_many")],
        ),
        (
            {"graph": graph(module_id=str(UUID(int=7)))},
            InvalidError,
            [("/graph/nodes/0/module_id", "reference.unknown")],
        ),
        (
            {"graph": graph(inputs={})},
            InvalidGraph,
            [("/graph/nodes/0/inputs", "graph.unbound")],
        ),
        (
            {"modules": [INLINE], "default_optimizer": "magic"},
            InvalidError,
            [("/default_optimizer", "optimizer.unknown")],
        ),
    ],
)
def test_faults_point_into_the_command_and_nothing_is_stored(
    world: World,
    body: dict[str, Any],
    error: type[InvalidError],
    faults: list[tuple[str, str]],
) -> None:
    stored = len(world.log.recorded)
    with pytest.raises(error) as refused:
        world.creates(**body)
    assert pointers(refused.value) == faults
    assert len(world.log.recorded) == stored


def test_what_is_retired_takes_no_new_programs(world: World) -> None:
    world.does(RetireModule(module_id=world.module_id))
    world.does(RetireSignature(signature_id=world.signature_id))
    with pytest.raises(ModuleIsRetired):
        world.creates(modules=[{"module_id": world.module_id}])
    with pytest.raises(SignatureIsRetired):
        world.creates(modules=[{"kind": "predict", "signature_id": world.signature_id}])


@pytest.mark.feature("PRG-10")
def test_prg_10_a_deployment_says_on_what_evidence(world: World) -> None:
    made = world.creates()
    evaluation_id = world.evaluates(made)
    receipt = world.does(
        DeployProgram(
            program_id=made,
            program_version=1,
            reason="It is good.",
            evidence=(evaluation_id,),
            expected_version=1,
        )
    )
    assert receipt.version == 2
    assert world.last == ProgramDeployed(
        program_version=1,
        previous_version=None,
        reason="It is good.",
        evidence=(
            Evidence(
                evaluation_id=evaluation_id,
                version=1,
                score=0.5,
                metric="f1_score",
                dataset_id=DATASET,
                split="heldout",
            ),
        ),
    )


@pytest.mark.feature("PRG-10")
def test_prg_10_a_deployment_needs_no_input(world: World) -> None:
    made = world.creates()
    world.does(DeployProgram(program_id=made))
    assert world.last == ProgramDeployed(
        program_version=1, previous_version=None, reason="No reason was given."
    )
    assert world.does(DeployProgram(program_id=made)).position == 0


def test_evidence_must_be_completed_and_of_this_program(world: World) -> None:
    made, other = world.creates(), world.creates("other")
    evidence = (
        world.evaluates(made),
        uuid4(),
        world.evaluates(other),
        world.evaluates(made, completed=False),
    )
    with pytest.raises(EvidenceIsInvalid) as refused:
        world.does(DeployProgram(program_id=made, evidence=evidence))
    assert pointers(refused.value) == [
        ("/evidence/1", "reference.unknown"),
        ("/evidence/2", "evidence.another_program"),
        ("/evidence/3", "evidence.not_completed"),
    ]


@pytest.mark.feature("PRG-03")
def test_prg_03_testing_comes_before_retirement_and_not_after(world: World) -> None:
    made = world.creates()
    world.does(StartTesting(program_id=made, expected_version=1))
    assert world.last == ProgramTestingStarted()
    world.does(RetireProgram(program_id=made, reason="old", expected_version=2))
    for command in (StartTesting(program_id=made), DeployProgram(program_id=made)):
        with pytest.raises(ActionIsNotAllowed, match="in stage retired"):
            world.does(command)


def test_a_stale_decision_is_refused(world: World) -> None:
    made = world.creates()
    for command in (
        StartTesting(program_id=made, expected_version=7),
        DeployProgram(program_id=made, expected_version=7),
        RetireProgram(program_id=made, expected_version=7),
    ):
        with pytest.raises(StaleVersion):
            world.does(command)
