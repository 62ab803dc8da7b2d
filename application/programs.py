"""What people may ask of programs: each command, and beneath it its handler."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, PositiveInt
from pydantic_core import PydanticCustomError

from application.authorization import Permission
from application.commands import Command, handles
from application.errors import AggregateNotFound
from application.extensions import NOTHING_MORE, Extensions
from application.graphs import GraphReader, WrittenProgram
from application.pointing import at
from application.ports import Claim, Clock, Pinning, Receipt, Repository
from application.reasons import NO_REASON
from domain.errors import Fault
from domain.evaluation.aggregate import Evaluation
from domain.program.aggregate import Program
from domain.program.caching import CACHE, is_caches
from domain.program.deadline import DEADLINE, MAX_DEADLINE_S, is_deadline_s
from domain.program.errors import EvidenceIsInvalid
from domain.program.model import LM, is_model
from domain.program.values import Evidence
from domain.text import JsonObject, LongText, Name, SafeText
from domain.values import Cache


def _known_settings(config: JsonObject) -> JsonObject:
    """*config*, which is free but for the settings that the service itself reads."""
    if DEADLINE in config and not is_deadline_s(config[DEADLINE]):
        told = "A deadline is a number of seconds above 0, and {most} at most."
        where = {"pointer": f"/{DEADLINE}", "most": round(MAX_DEADLINE_S)}
        raise PydanticCustomError("program.deadline", told, where)
    if CACHE in config and not is_caches(config[CACHE]):
        told = "A cache is a list of {caches}, each once."
        where = {"pointer": f"/{CACHE}", "caches": " and ".join(Cache)}
        raise PydanticCustomError("program.cache", told, where)
    if LM in config and not is_model(config[LM]):
        told = "A model is named as provider/model, or by its provider alone."
        raise PydanticCustomError("program.model", told, {"pointer": f"/{LM}"})
    return config


ProgramConfig = Annotated[JsonObject, AfterValidator(_known_settings)]


class CreateProgram(WrittenProgram, Command):
    """Write version 1, as one module or as a graph of them."""

    program_id: UUID
    name: Name
    description: LongText | None = None
    config: ProgramConfig = {}
    default_optimizer: SafeText | None = None


class RenameProgram(Command):
    """Call it otherwise. Its former name leads to it still, and nobody else can take it."""

    program_id: UUID
    name: Name
    expected_version: int | None = None


class DescribeProgram(Command):
    program_id: UUID
    description: LongText | None
    expected_version: int | None = None


class ConfigureProgram(Command):
    """Set the config or the default optimizer; what is left out stays."""

    program_id: UUID
    config: ProgramConfig | None = None
    default_optimizer: SafeText | None = None
    expected_version: int | None = None


class StartTesting(Command):
    program_id: UUID
    expected_version: int | None = None


class DeployProgram(Command):
    """Make a version live, the latest one if none is named.

    ``evidence`` are completed evaluations of this program, of whichever version.
    """

    program_id: UUID
    program_version: PositiveInt | None = None
    reason: LongText = NO_REASON
    evidence: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()
    expected_version: int | None = None


class ArchiveProgram(Command):
    """Put it away: nothing runs of it until it is restored."""

    program_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class RestoreProgram(Command):
    """Take it out of the archive, as it was."""

    program_id: UUID
    expected_version: int | None = None


class RetireProgram(Command):
    program_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class ProgramHandlers:
    programs: Repository[Program]
    graphs: GraphReader
    evaluations: Repository[Evaluation]
    pinning: Pinning
    clock: Clock
    extensions: Extensions = NOTHING_MORE

    @handles(CreateProgram, Permission.AUTHOR)
    def create(self, command: CreateProgram) -> Receipt:
        if command.default_optimizer is not None:
            with at("/default_optimizer"):
                self.extensions.require_optimizer(command.default_optimizer)
        graph = self.graphs.read(command)
        with command.pointing():
            program = Program.create(
                command.program_id,
                command.name,
                graph,
                description=command.description,
                config=command.config,
                default_optimizer=command.default_optimizer,
                pins=self.pinning.pins(),
                at=self.clock.now(),
            )
        return self.programs.save(program, claim=Claim(Program.KIND, command.name, program.id))

    @handles(RenameProgram, Permission.AUTHOR)
    def rename(self, command: RenameProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.rename(command.name, at=self.clock.now())
        return self.programs.save(program, claim=Claim(Program.KIND, command.name, program.id))

    @handles(DescribeProgram, Permission.AUTHOR)
    def describe(self, command: DescribeProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.describe(command.description, at=self.clock.now())
        return self.programs.save(program)

    @handles(ConfigureProgram, Permission.AUTHOR)
    def configure(self, command: ConfigureProgram) -> Receipt:
        if command.default_optimizer is not None:
            with at("/default_optimizer"):
                self.extensions.require_optimizer(command.default_optimizer)
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        config = program.config if command.config is None else command.config
        optimizer = command.default_optimizer or program.default_optimizer
        program.configure(config, optimizer, at=self.clock.now())
        return self.programs.save(program)

    @handles(StartTesting, Permission.AUTHOR)
    def start_testing(self, command: StartTesting) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.start_testing(at=self.clock.now())
        return self.programs.save(program)

    @handles(DeployProgram, Permission.DEPLOY)
    def deploy(self, command: DeployProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        evidence = self._evidence(program, command.evidence)
        program.deploy(command.program_version, command.reason, evidence, at=self.clock.now())
        return self.programs.save(program)

    @handles(ArchiveProgram, Permission.DEPLOY)
    def archive(self, command: ArchiveProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.archive(command.reason, at=self.clock.now())
        return self.programs.save(program)

    @handles(RestoreProgram, Permission.DEPLOY)
    def restore(self, command: RestoreProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.restore(at=self.clock.now())
        return self.programs.save(program)

    @handles(RetireProgram, Permission.DEPLOY)
    def retire(self, command: RetireProgram) -> Receipt:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        program.retire(command.reason, at=self.clock.now())
        return self.programs.save(program)

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
