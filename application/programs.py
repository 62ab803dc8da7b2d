"""What people may ask of programs: each command, and beneath it its handler."""

from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

from application.commands import Command, handles
from application.errors import AggregateNotFound
from application.modules import ModuleSettings, signature_in_service, unknown_reference
from application.pointing import at, beneath
from application.ports import Claim, Clock, Receipt, Repository
from domain.errors import Fault
from domain.evaluation.aggregate import Evaluation
from domain.module.aggregate import Module
from domain.module.rules import check_module
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.optimization.catalog import known_optimizer
from domain.program.aggregate import Program
from domain.program.errors import EvidenceIsInvalid
from domain.program.graph import ProgramGraph, module_nodes, single
from domain.program.values import Evidence
from domain.signature.aggregate import Signature
from domain.signature.fields import SignatureSpec
from domain.signature.syntax import parse
from domain.text import JsonObject, LongText, Name, SafeText, storable

CODE_IS_REFUSED = (
    "A program is data, never code: send modules or graph instead. "
    "See docs/explanation/programs-are-graphs.md."
)


def _no_code(value: object) -> None:
    if value is not None:
        raise PydanticCustomError("program.code_refused", CODE_IS_REFUSED)


class ModuleChoice(BaseModel):
    """A module for a program: one from the shelf, or a kind with a signature.

    ``config`` overrides the settings of the module, or of the kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    module_id: UUID | None = None
    kind: ModuleKind | None = None
    signature_id: UUID | None = None
    signature_syntax: SafeText | None = None
    config: ModuleSettings = ModuleSettings()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        signatures = [it for it in (self.signature_id, self.signature_syntax) if it is not None]
        inline = self.kind is not None and len(signatures) == 1
        shelf = self.kind is None and not signatures
        if not (shelf if self.module_id else inline):
            raise PydanticCustomError(
                "module.one_way",
                "Send a module_id, or a kind with either signature_id or signature_syntax.",
            )
        return self


class CreateProgram(Command):
    """Write version 1, as one module or as a graph of them."""

    program_id: UUID
    name: Name
    description: LongText | None = None
    config: JsonObject = {}
    modules: Annotated[tuple[ModuleChoice, ...], Field(min_length=1, max_length=1)] | None = None
    graph: Annotated[ProgramGraph, AfterValidator(storable)] | None = None
    default_optimizer: SafeText | None = None
    forward: Annotated[None, BeforeValidator(_no_code)] = Field(
        default=None, validation_alias=AliasChoices("forward", "forward_fn")
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.modules is None) == (self.graph is None):
            raise PydanticCustomError("program.one_form", "Send either modules or graph.")
        return self


class StartTesting(Command):
    program_id: UUID
    expected_version: int | None = None


class DeployProgram(Command):
    """Make a version live, the latest one if none is named.

    ``evidence`` are completed evaluations of this program, of whichever version.
    """

    program_id: UUID
    program_version: PositiveInt | None = None
    reason: LongText = "No reason was given."
    evidence: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()
    expected_version: int | None = None


class RetireProgram(Command):
    program_id: UUID
    reason: LongText = "No reason was given."
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class ProgramHandlers:
    programs: Repository[Program]
    modules: Repository[Module]
    signatures: Repository[Signature]
    evaluations: Repository[Evaluation]
    clock: Clock

    @handles(CreateProgram)
    def create(self, command: CreateProgram) -> Receipt:
        if command.default_optimizer is not None:
            with at("/default_optimizer"):
                known_optimizer(command.default_optimizer)
        program = self._written(command)
        return self.programs.save(program, claim=Claim(Program.KIND, command.name, program.id))

    @handles(StartTesting)
    def start_testing(self, command: StartTesting) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.start_testing(at=self.clock.now())
        return self.programs.save(program)

    @handles(DeployProgram)
    def deploy(self, command: DeployProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        evidence = self._evidence(program, command.evidence)
        program.deploy(command.program_version, command.reason, evidence, at=self.clock.now())
        return self.programs.save(program)

    @handles(RetireProgram)
    def retire(self, command: RetireProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.retire(command.reason, at=self.clock.now())
        return self.programs.save(program)

    def _written(self, command: CreateProgram) -> Program:
        if command.graph is not None:
            graph = self._of_known_modules(command.graph)
            with beneath("/graph"):
                return self._create(command, graph)
        assert command.modules is not None
        graph = self._of_one(command.modules[0])
        with at("/modules/0"):
            return self._create(command, graph)

    def _create(self, command: CreateProgram, graph: ProgramGraph) -> Program:
        return Program.create(
            command.program_id,
            command.name,
            graph,
            description=command.description,
            config=command.config,
            default_optimizer=command.default_optimizer,
            at=self.clock.now(),
        )

    def _of_known_modules(self, graph: ProgramGraph) -> ProgramGraph:
        for pointer, node in module_nodes(graph):
            if node.module_id is not None:
                self._module(node.module_id, f"/graph{pointer}/module_id")
        return graph

    def _of_one(self, choice: ModuleChoice) -> ProgramGraph:
        if choice.module_id is not None:
            spec = self._module(choice.module_id, "/modules/0/module_id").spec
        else:
            assert choice.kind is not None
            signature, config = self._signature(choice), DEFAULTS[choice.kind]
            spec = ModuleSpec(kind=choice.kind, signature=signature, config=config)
        chosen = spec.model_copy(update={"config": choice.config.over(spec.config)})
        with beneath("/modules/0"):
            check_module(chosen)
        return single(chosen, module_id=choice.module_id)

    def _signature(self, choice: ModuleChoice) -> SignatureSpec:
        if choice.signature_id is not None:
            pointer = "/modules/0/signature_id"
            return signature_in_service(self.signatures, choice.signature_id, pointer).spec
        with at("/modules/0/signature_syntax"):
            return parse(choice.signature_syntax or "")

    def _module(self, module_id: UUID, pointer: str) -> Module:
        try:
            module = self.modules.get(module_id)
        except AggregateNotFound as error:
            raise unknown_reference(error, pointer) from error
        module.require_in_service()
        return module

    def _evidence(self, program: Program, ids: tuple[UUID, ...]) -> tuple[Evidence, ...]:
        read = [
            self._read(program, evaluation_id, f"/evidence/{index}")
            for index, evaluation_id in enumerate(ids)
        ]
        if faults := [each for each in read if isinstance(each, Fault)]:
            raise EvidenceIsInvalid(faults)
        return tuple(each for each in read if isinstance(each, Evidence))

    def _read(self, program: Program, evaluation_id: UUID, pointer: str) -> Evidence | Fault:
        try:
            evaluation = self.evaluations.get(evaluation_id)
        except AggregateNotFound as error:
            return Fault(pointer, "reference.unknown", str(error))
        wish, result = evaluation.wish, evaluation.result
        if wish.program_id != program.id:
            message = f"Evaluation {evaluation_id} is of another program. Name one of this program."
            return Fault(pointer, "evidence.another_program", message)
        if result is None:
            message = (
                f"Evaluation {evaluation_id} is {evaluation.status}; only completed ones count."
            )
            return Fault(pointer, "evidence.not_completed", message)
        return Evidence(
            evaluation_id=evaluation_id,
            version=wish.program_version,
            score=result.score,
            metric=wish.metric,
            dataset_id=wish.dataset_id,
            split=wish.split,
        )
