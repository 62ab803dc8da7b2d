"""Programs from one Stratal to another: all versions as one document without ids or secrets."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from application.authorization import Permission
from application.commands import Command, handles
from application.extensions import NOTHING_MORE, Extensions
from application.graphs import GraphReader, WrittenProgram
from application.payloads import Payload, canonical_json
from application.pointing import at, beneath
from application.ports import Claim, Clock, PayloadStore, Receipt, Repository
from application.reasons import NO_REASON
from application.runnable import EDITS, edits_of
from domain.errors import Fault, InvalidError
from domain.kernel import ValueObject
from domain.program.aggregate import Program
from domain.program.edits import PredictorEdit, check_edits
from domain.program.events import ProgramRevised, ProgramVersionImported
from domain.program.graph import ProgramGraph
from domain.program.predictors import check_state, predictors
from domain.program.rules import check
from domain.program.state import read_state
from domain.program.values import Origin, Pins
from domain.program.versions import VersionState
from domain.text import JsonObject, LongText, Name, SafeText, storable
from domain.values import Digest, Score

FORMAT: Final = "stratal.program"
MAX_VERSIONS: Final = 1000

_WRITTEN: Final = frozenset({Origin.WRITTEN, Origin.REVISED})
_BODIES: Final = frozenset({"body", "then", "otherwise"})


class DigestIsWrong(InvalidError):
    """A document is not the one that was exported; nothing of it was taken."""

    code: ClassVar[str] = "import.digest_wrong"

    def __init__(self) -> None:
        message = "The digest is not that of the document. Export it again, and change nothing."
        super().__init__(message, [Fault("/digest", self.code, message)])


class ExportedVersion(ValueObject):
    """One version. Only one that was written has a graph; others have that of their base."""

    version: Annotated[int, Field(ge=1)]
    origin: Origin
    base_version: Annotated[int, Field(ge=1)] | None
    graph: ProgramGraph | None
    state: JsonObject | None
    edits: dict[str, PredictorEdit]
    pins: Pins
    optimizer: SafeText | None
    training_score: Score | None
    reason: LongText | None


class ExportedProgram(BaseModel):
    """A program with all its versions. ``digest`` is over the canonical JSON of all the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["stratal.program"] = FORMAT
    format_version: Literal[1] = 1
    name: Name
    description: LongText | None
    config: JsonObject
    default_optimizer: SafeText | None
    versions: Annotated[tuple[ExportedVersion, ...], Field(min_length=1, max_length=MAX_VERSIONS)]
    digest: Digest

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        storable(self)
        for number, each in enumerate(self.versions, start=1):
            if each.version != number or not _is_in_order(each):
                raise PydanticCustomError(
                    "import.lineage",
                    "Version {number} does not follow from those before it.",
                    {"number": number, "pointer": f"/versions/{number - 1}"},
                )
        return self


class ImportProgram(Command):
    """Take a program in as it was exported, under its own name or another one."""

    program_id: UUID
    name: Name | None = None
    document: ExportedProgram


def exported(program: Program, payloads: PayloadStore) -> dict[str, JsonValue]:
    """All of *program* but its ids, its stage and its runs: equal programs, equal documents.

    Raises:
        PayloadIsMissing: A state was erased.
    """
    versions: list[JsonValue] = [
        _exported(number, each, payloads) for number, each in enumerate(program.versions, start=1)
    ]
    document: dict[str, JsonValue] = {
        "format": FORMAT,
        "format_version": 1,
        "name": program.name,
        "description": program.description,
        "config": program.config,
        "default_optimizer": program.default_optimizer,
        "versions": versions,
    }
    return document | {"digest": _digest(document)}


@dataclass(frozen=True, slots=True)
class ExchangeHandlers:
    programs: Repository[Program]
    graphs: GraphReader
    clock: Clock
    extensions: Extensions = NOTHING_MORE

    @handles(ImportProgram, Permission.AUTHOR)
    def take_in(self, command: ImportProgram) -> Receipt:
        document = command.document
        whole: dict[str, JsonValue] = document.model_dump(mode="json")
        if _digest({key: it for key, it in whole.items() if key != "digest"}) != document.digest:
            raise DigestIsWrong
        if document.default_optimizer is not None:
            with at("/default_optimizer"):
                self.extensions.require_optimizer(document.default_optimizer)
        program, texts = self._made(command)
        claim = Claim(Program.KIND, program.name, program.id)
        return self.programs.save(program, payloads=texts, claim=claim)

    def _made(self, command: ImportProgram) -> tuple[Program, list[Payload]]:
        document, now = command.document, self.clock.now()
        first, *later = document.versions
        program = Program.create(
            command.program_id,
            command.name or document.name,
            self._graph(first, "/versions/0"),
            description=document.description,
            config=document.config,
            default_optimizer=document.default_optimizer,
            pins=first.pins,
            at=now,
        )
        texts: list[Payload] = []
        for index, each in enumerate(later, start=1):
            with beneath(f"/versions/{index}"):
                event, brought = self._version(program, each)
                program.take_in(event, at=now)
            texts += brought
        return program, texts

    def _version(
        self, program: Program, version: ExportedVersion
    ) -> tuple[ProgramRevised | ProgramVersionImported, list[Payload]]:
        assert version.base_version is not None
        if version.graph is not None:
            revised = ProgramRevised(
                new_version=version.version,
                base_version=version.base_version,
                graph=self._graph(version, ""),
                pins=version.pins,
                reason=version.reason or NO_REASON,
            )
            return revised, []
        known = predictors(program.version_state(version.base_version).graph)
        if version.state is not None:
            check_state(read_state(version.state, "/state"), known, "/state")
        check_edits(version.edits, known, "/edits")
        state = None if version.state is None else Payload.of(version.state)
        edits = _stored(version.edits) if version.edits else None
        imported = ProgramVersionImported(
            new_version=version.version,
            base_version=version.base_version,
            origin=version.origin,
            state=state and state.ref,
            edits=edits and edits.ref,
            pins=version.pins,
            optimizer=version.optimizer,
            training_score=version.training_score,
            reason=version.reason,
        )
        return imported, [text for text in (state, edits) if text is not None]

    def _graph(self, version: ExportedVersion, pointer: str) -> ProgramGraph:
        assert version.graph is not None
        with beneath(pointer):
            graph = self.graphs.read(WrittenProgram(graph=version.graph))
            with beneath("/graph"):
                return check(graph)


def _exported(number: int, version: VersionState, payloads: PayloadStore) -> JsonValue:
    is_written = version.origin in _WRITTEN
    told = EDITS.dump_python(dict(edits_of(version, payloads)), mode="json")
    return {
        "version": number,
        "origin": version.origin.value,
        "base_version": version.base_version,
        "graph": _off_the_shelf(version.graph.model_dump(mode="json")) if is_written else None,
        "state": None if version.state is None else payloads.get(version.state),
        "edits": told,
        "pins": version.pins.model_dump(mode="json"),
        "optimizer": version.optimizer,
        "training_score": version.training_score,
        "reason": version.reason,
    }


def _off_the_shelf(body: dict[str, Any]) -> dict[str, Any]:
    """*body* without the ids of the modules that its nodes were copied from."""
    nodes = [
        {
            name: None if name == "module_id" else _off_the_shelf(part) if name in _BODIES else part
            for name, part in node.items()
        }
        for node in body["nodes"]
    ]
    return {**body, "nodes": nodes}


def _is_in_order(version: ExportedVersion) -> bool:
    """Whether *version* has what one of its origin has, and is made of an earlier one."""
    if (version.graph is not None) is not (version.origin in _WRITTEN):
        return False
    if version.graph is not None and (version.state is not None or version.edits):
        return False
    if version.version == 1:
        return version.origin is Origin.WRITTEN and version.base_version is None
    base = version.base_version
    return version.origin is not Origin.WRITTEN and base is not None and base < version.version


def _stored(edits: dict[str, PredictorEdit]) -> Payload:
    return Payload.of(EDITS.dump_python(edits, mode="json"))


def _digest(document: dict[str, JsonValue]) -> Digest:
    return hashlib.sha256(canonical_json(document)).hexdigest()
