"""New versions by hand: another graph, other prompts, an earlier version once more."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from application.authorization import Permission
from application.commands import Command, handles
from application.graphs import GraphReader, WrittenProgram
from application.payloads import Payload
from application.ports import Clock, PayloadStore, Pinning, Receipt, Repository
from application.reasons import NO_REASON
from application.runnable import EDITS, edits_of
from domain.comparison.versions import VersionContent
from domain.errors import Fault
from domain.program.aggregate import Program
from domain.program.edits import PredictorEdit, check_edits, edited, merged
from domain.program.errors import InvalidEdit
from domain.program.predictors import Predictor, loaded, predictors
from domain.program.state import read_state
from domain.program.values import Adapter
from domain.program.versions import VersionState
from domain.text import JsonObject, LongText, escape


class PredictorChange(BaseModel):
    """What a predictor is told from now on; what is left out stays. Demos keep their order."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    instructions: LongText | None = None
    demos: tuple[JsonObject, ...] | None = None


class ReviseProgram(WrittenProgram, Command):
    """Write the next version out. What optimizers found for earlier ones is not in it."""

    program_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class EditPredictors(Command):
    """Change what predictors are told, by path, or how prompts are written: a new version.

    It is made of ``base_version``, or of the latest one.
    """

    program_id: UUID
    base_version: PositiveInt | None = None
    predictors: dict[str, PredictorChange] = {}
    adapter: Adapter | None = None
    reason: LongText = NO_REASON
    expected_version: int | None = None


class ReorderModules(Command):
    """Put the nodes of the latest version into the order of their ``positions``: a new version.

    Only the order counts, so there may be gaps; whoever has no position keeps the one it has.
    """

    program_id: UUID
    positions: Annotated[dict[str, int], Field(min_length=1)]
    expected_version: int | None = None


class RestoreVersion(Command):
    """Make a version the latest one once more, as a version of its own."""

    program_id: UUID
    program_version: PositiveInt
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class VersionHandlers:
    programs: Repository[Program]
    graphs: GraphReader
    payloads: PayloadStore
    pinning: Pinning
    clock: Clock

    @handles(ReviseProgram, Permission.AUTHOR)
    def revise(self, command: ReviseProgram) -> Receipt:
        program = self._read(command)
        graph, pins = self.graphs.read(command), self.pinning.pins()
        kept = program.versions[-1].pins.adapter or pins.adapter
        with command.pointing():
            program.revise(
                graph,
                pins.model_copy(update={"adapter": kept}),
                command.reason,
                at=self.clock.now(),
            )
        return self.programs.save(program)

    @handles(EditPredictors, Permission.AUTHOR)
    def edit(self, command: EditPredictors) -> Receipt:
        program = self._read(command)
        number = command.base_version or program.latest_version
        base, now = program.version_state(number), self.pinning.pins()
        wanted = EDITS.validate_python(
            {path: each.model_dump() for path, each in command.predictors.items()}
        )
        check_edits(wanted, predictors(base.graph))
        before = edits_of(base, self.payloads)
        told = told_to(base, self.payloads)
        # What a predictor is told already is no edit: the same wish twice changes nothing.
        new = {path: each for path, each in wanted.items() if _differs(told[path], each)}
        every = Payload.of(EDITS.dump_python(merged(before, new), mode="json"))
        program.edit(
            number,
            sorted(new),
            every.ref if new else base.edits,
            now.model_copy(update={"adapter": command.adapter or base.pins.adapter}),
            command.reason,
            at=self.clock.now(),
        )
        return self.programs.save(program, payloads=[every] if new else [])

    @handles(ReorderModules, Permission.AUTHOR)
    def reorder(self, command: ReorderModules) -> Receipt:
        program = self._read(command)
        graph, pins = program.graph, self.pinning.pins()
        places = {node.id: index for index, node in enumerate(graph.nodes)}
        _check_positions(command.positions, places)
        places |= command.positions
        nodes = tuple(sorted(graph.nodes, key=lambda node: places[node.id]))
        program.revise(
            graph.model_copy(update={"nodes": nodes}),
            pins.model_copy(update={"adapter": program.versions[-1].pins.adapter}),
            "The modules were put into another order.",
            at=self.clock.now(),
        )
        return self.programs.save(program)

    @handles(RestoreVersion, Permission.AUTHOR)
    def restore(self, command: RestoreVersion) -> Receipt:
        program = self._read(command)
        program.restore_version(command.program_version, command.reason, at=self.clock.now())
        return self.programs.save(program)

    def _read(
        self, command: ReviseProgram | EditPredictors | ReorderModules | RestoreVersion
    ) -> Program:
        program = self.programs.get(command.program_id)
        program.expect(command.expected_version)
        return program


def content_of(version: VersionState, payloads: PayloadStore) -> VersionContent:
    """All that *version* is made of.

    Raises:
        PayloadIsMissing: The state or the edits were erased.
    """
    return VersionContent(version.graph, told_to(version, payloads), version.pins)


def told_to(version: VersionState, payloads: PayloadStore) -> dict[str, Predictor]:
    """The predictors of *version* by path, with what they are told in it.

    Raises:
        PayloadIsMissing: The state or the edits were erased.
    """
    found = predictors(version.graph)
    if version.state is not None:
        found = loaded(found, read_state(payloads.get(version.state)))
    return edited(found, edits_of(version, payloads))


def _differs(told: Predictor, edit: PredictorEdit) -> bool:
    wanted: dict[str, Any] = edit.model_dump(exclude_none=True)
    return any(getattr(told, name) != value for name, value in wanted.items())


def _check_positions(positions: dict[str, int], known: dict[str, int]) -> None:
    faults = [
        Fault(
            f"/positions/{escape(node)}",
            "node.unknown",
            f"There is no node {node}. Choose one of {', '.join(known)}.",
        )
        for node in positions.keys() - known.keys()
    ]
    after = known | positions
    for node, place in positions.items():
        if sum(each == place for each in after.values()) > 1:
            message = f"Another node has the position {place}, too. Give each its own."
            faults.append(Fault(f"/positions/{escape(node)}", "node.position_taken", message))
    if faults:
        raise InvalidEdit(faults)
