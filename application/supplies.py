"""What programs use of the tenant's other things: checked when they are written, then supplied."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Lock
from typing import Final, cast
from uuid import UUID

from pydantic import JsonValue

from application.context import current
from application.errors import AggregateNotFound
from application.examples import rows_of
from application.lm_ports import JsonObject, RunnableProgram
from application.payloads import canonical_json
from application.ports import PayloadStore, Repository
from application.runnable import runnable
from domain.dataset.aggregate import Dataset
from domain.dataset.values import Split
from domain.errors import Fault, InvalidError
from domain.module.errors import NO_CODE, CodeIsNotAllowed
from domain.module.parameters import Agent, Parameters, Recursive
from domain.program.aggregate import Program
from domain.program.errors import ProgramVersionNotFound
from domain.program.graph import ProgramGraph
from domain.program.needs import Needs, graph_needs
from domain.tool.aggregate import Tool
from domain.tool.allowance import Allowance
from domain.tool.values import Corpus, ProgramTool, ToolSpec

MAX_DEPTH: Final = 4
"""Programs that use programs that use programs: so many below the one that runs."""

Rows = Sequence[JsonObject]


class NeedsAreNotMet(InvalidError):
    """A program names what is not there, or what it cannot use; ``faults`` names all of it."""

    code = "program.needs_not_met"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message, faults)


class Remembered:
    """What is dear to read and never changes, by its key; the least recently used is forgotten."""

    def __init__(self, size: int = 32) -> None:
        self._size, self._lock = size, Lock()
        self._found: OrderedDict[object, object] = OrderedDict()

    def get(self, key: object, make: Callable[[], object]) -> object:
        """What *make* gave for *key*, perhaps long ago."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        made = make()
        with self._lock:
            self._found[key] = made
            while len(self._found) > self._size:
                self._found.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True)
class Supplies:
    """Looks after what programs need of others; ``allowance`` is what they may reach outside."""

    programs: Repository[Program]
    datasets: Repository[Dataset]
    tools: Repository[Tool]
    payloads: PayloadStore
    allowance: Allowance
    remembered: Remembered = field(default_factory=Remembered)
    versions: Remembered = field(default_factory=lambda: Remembered(256))

    def check(self, needs: Needs) -> None:
        """Refuse what nobody could supply.

        Raises:
            CodeIsNotAllowed: A module runs code, which is off.
            ToolIsNotAllowed: A tool leads where nothing may be reached.
            NeedsAreNotMet: It names every program and dataset that is not there, or of no use.
        """
        if needs.code and not self.allowance.code:
            raise CodeIsNotAllowed(
                [Fault(each, CodeIsNotAllowed.code, NO_CODE) for each in needs.code]
            )
        self.allowance.require(needs.tools)
        faults = [*self._program_faults(needs), *self._dataset_faults(needs)]
        if faults:
            raise NeedsAreNotMet(faults)

    def with_tools(self, parameters: Parameters, ids: Sequence[UUID], pointer: str) -> Parameters:
        """*parameters* with copies of the tools that *ids* name on the shelf; *pointer* is theirs.

        Raises:
            NeedsAreNotMet: There is none of an id, or the kind of module has no tools.
            ToolIsRetired: A tool takes no new users.
        """
        if not ids:
            return parameters
        if not isinstance(parameters, Agent | Recursive):
            message = "Only agents call tools. Leave them out, or choose a kind such as react."
            raise NeedsAreNotMet([Fault(pointer, "tools.not_for_kind", message)])
        copies = [self._copied(each, f"{pointer}/{index}") for index, each in enumerate(ids)]
        return parameters.model_copy(update={"tools": (*parameters.tools, *copies)})

    def _copied(self, tool_id: UUID, pointer: str) -> ToolSpec:
        try:
            tool = self.tools.get(tool_id)
        except AggregateNotFound as error:
            fault = Fault(pointer, "reference.unknown", str(error))
            raise NeedsAreNotMet([fault]) from error
        tool.require_in_service()
        return tool.spec

    def runnable(self, program_id: UUID, version: int) -> RunnableProgram:
        """Version *version* of a program with the programs, texts and examples that it needs.

        Its key also names what these are made of: other rows make another program.

        Raises:
            AggregateNotFound: A program or a dataset is not there.
            ProgramVersionNotFound: It has no such version.
            PayloadIsMissing: Rows, the state or the edits were erased.
        """
        return self._supplied(self._bare(program_id, version), {})

    def _bare(self, program_id: UUID, version: int) -> RunnableProgram:
        """The version by itself. It never changes, so a worker reads it once."""
        key = (current().tenant, program_id, version)
        known = self.versions.get(
            key, lambda: runnable(self.programs.get(program_id), version, self.payloads)
        )
        return cast("RunnableProgram", known)

    def _supplied(
        self, program: RunnableProgram, known: dict[tuple[UUID, int], RunnableProgram]
    ) -> RunnableProgram:
        needs = graph_needs(program.graph)
        if not (needs.tools or needs.corpora or needs.examples):
            return program
        programs = {_named(tool): self._tool(tool, known) for _, tool in needs.programs}
        corpora = {corpus: self._texts(corpus) for _, corpus in needs.corpora}
        examples = {each: self._rows(each, (Split.TRAIN,)) for _, each in needs.examples}
        made_of: JsonValue = [
            [each.key for each in programs.values()],
            [list(made_of) for made_of, _ in corpora.values()],
            [list(made_of) for made_of, _ in examples.values()],
        ]
        digest = hashlib.sha256(canonical_json(made_of)).hexdigest()[:16]
        return replace(
            program,
            key=f"{program.key}#{digest}",
            programs=programs,
            corpora={corpus: texts for corpus, (_, texts) in corpora.items()},
            examples={each: rows for each, (_, rows) in examples.items()},
        )

    def _tool(
        self, tool: ProgramTool, known: dict[tuple[UUID, int], RunnableProgram]
    ) -> RunnableProgram:
        named = _named(tool)
        if named not in known:
            known[named] = self._supplied(self._bare(*named), known)
        return known[named]

    def _texts(self, corpus: Corpus) -> tuple[Sequence[str], Sequence[str]]:
        made_of, rows = self._rows(corpus.dataset_id, tuple(Split))
        key = (current().tenant, *made_of, corpus.field)
        texts = self.remembered.get(key, lambda: [_text(row.get(corpus.field)) for row in rows])
        return made_of, cast("Sequence[str]", texts)

    def _rows(self, id: UUID, splits: Sequence[Split]) -> tuple[Sequence[str], Rows]:
        """The rows of these parts of a dataset, and the digests of what they are made of."""
        dataset = self.datasets.get(id)
        made_of = tuple(part for split in splits for part in dataset.made_of(split))
        key = (current().tenant, *made_of)

        def read() -> Rows:
            return [row for split in splits for row in rows_of(dataset, split, self.payloads)]

        return made_of, cast("Rows", self.remembered.get(key, read))

    def _program_faults(self, needs: Needs) -> Iterator[Fault]:
        known: dict[tuple[UUID, int], int] = {}
        read = cache(self.programs.get)  # thousands of tools may name the same one
        for pointer, tool in needs.programs:
            try:
                program = read(tool.program_id)
                graph = program.version_state(tool.program_version).graph
            except (AggregateNotFound, ProgramVersionNotFound) as error:
                yield Fault(pointer, "reference.unknown", str(error))
                continue
            if self._depth(graph, known) >= MAX_DEPTH:
                message = f"Programs call programs at most {MAX_DEPTH} deep. Flatten {tool.name}."
                yield Fault(pointer, "tool.too_deep", message)

    def _depth(self, graph: ProgramGraph, known: dict[tuple[UUID, int], int]) -> int:
        """How many programs are below *graph*, one below the other; no version is below itself."""
        deepest = 0
        for _, tool in graph_needs(graph).programs:
            named = _named(tool)
            if named not in known:
                below = self.programs.get(tool.program_id).version_state(tool.program_version)
                known[named] = 1 + self._depth(below.graph, known)
            deepest = max(deepest, known[named])
        return deepest

    def _dataset_faults(self, needs: Needs) -> Iterator[Fault]:
        read = cache(self.datasets.get)
        for pointer, corpus in needs.corpora:
            yield from _field_faults(read, pointer, corpus.dataset_id, corpus.field)
        for pointer, dataset_id in needs.examples:
            yield from _field_faults(read, pointer, dataset_id, None)


def _field_faults(
    read: Callable[[UUID], Dataset], pointer: str, id: UUID, name: str | None
) -> Iterator[Fault]:
    try:
        dataset = read(id)
    except AggregateNotFound as error:
        yield Fault(pointer, "reference.unknown", str(error))
        return
    if name is not None and dataset.fields and name not in dataset.fields:
        known = ", ".join(dataset.fields)
        message = f"The rows of {dataset.name!r} have no field {name}. Choose one of {known}."
        yield Fault(f"{pointer}/field", "dataset.unknown_field", message)


def _named(tool: ProgramTool) -> tuple[UUID, int]:
    return tool.program_id, tool.program_version


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical_json(value).decode()
