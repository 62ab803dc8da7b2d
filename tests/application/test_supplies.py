"""What programs need of others: checked when they are written, supplied when they run."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.context import Context, within
from application.errors import PayloadIsMissing
from application.payloads import Payload
from application.supplies import MAX_DEPTH, NeedsAreNotMet, Remembered
from domain.dataset.aggregate import Dataset
from domain.dataset.values import Purpose, Split
from domain.module.kinds import ModuleKind
from domain.module.parameters import Agent, Retrieve
from domain.module.values import DEFAULTS, ModuleConfig, ModuleSpec, Nearest
from domain.program.aggregate import Program
from domain.program.graph import ProgramGraph, single
from domain.program.needs import graph_needs, module_needs
from domain.program.values import Pins
from domain.signature.syntax import parse
from domain.tool.errors import ToolIsNotAllowed
from domain.tool.values import Corpus, ProgramTool, PythonTool, RetrieverTool, ToolSpec
from tests.support.memory import NOW, MemoryLog, MemoryRepository
from tests.support.payloads import MemoryPayloads
from tests.support.supplies import supplies_of

CONTEXT = Context(tenant="acme", actor="ada", correlation_id=UUID(int=1))
ROWS: list[dict[str, Any]] = [
    {"text": "The Eiffel Tower is in Paris.", "year": 1889},
    {"text": None, "year": None},
]


def agent(*tools: ToolSpec, nearest: Nearest | None = None) -> ProgramGraph:
    kind = ModuleKind.CHAIN_OF_THOUGHT if nearest else ModuleKind.REACT
    spec = ModuleSpec(
        kind=kind,
        signature=parse("question -> answer"),
        config=DEFAULTS[kind].model_copy(update={"nearest": nearest}),
        parameters=None if nearest else Agent(tools=tools),
    )
    return single(spec)


def worker(program_id: UUID, version: int = 1, name: str = "worker") -> ProgramTool:
    return ProgramTool(
        name=name, description="Ask it.", program_id=program_id, program_version=version
    )


def look_up(corpus: Corpus) -> RetrieverTool:
    return RetrieverTool(name="look_up", description="Look it up.", corpus=corpus)


class World:
    """A memory log with programs and datasets in it."""

    def __init__(self) -> None:
        self.payloads = MemoryPayloads()
        self.log = MemoryLog(inline=(self.payloads.inline,))
        self.supplies = supplies_of(self.log, self.payloads)

    def a_program(self, graph: ProgramGraph) -> Program:
        program = Program.create(uuid4(), "program", graph, pins=Pins(), at=NOW)
        MemoryRepository(Program, self.log).save(program)
        return program

    def a_dataset(self, **parts: Sequence[dict[str, Any]]) -> UUID:
        dataset = Dataset.create(
            uuid4(), name="pages", purpose=Purpose.CUSTOM, description=None, at=NOW
        )
        payloads: list[Payload] = []
        for split, rows in parts.items():
            chunk = Payload.of(list(rows))
            payloads.append(chunk)
            dataset.load(
                Split(split), (chunk.ref,), count=len(rows), fields=("text", "year"), at=NOW
            )
        MemoryRepository(Dataset, self.log).save(dataset, payloads=payloads)
        return dataset.id

    def refused(self, graph: ProgramGraph) -> list[tuple[str, str]]:
        with pytest.raises(NeedsAreNotMet) as refusal:
            self.supplies.check(graph_needs(graph))
        return [(fault.pointer, fault.code) for fault in refusal.value.faults]


@pytest.fixture
def world() -> Iterator[World]:
    with acting():
        yield World()


def acting(tenant: str = "acme") -> AbstractContextManager[None]:
    return within(replace(CONTEXT, tenant=tenant))


TOOLS = "/nodes/0/module/parameters/tools"


def test_a_program_that_needs_nothing_is_left_as_it_is(world: World) -> None:
    program = world.a_program(agent())
    world.supplies.check(graph_needs(program.graph))
    found = world.supplies.runnable(program.id, 1)
    assert (found.key, found.programs, found.corpora) == (f"{program.id}@1", {}, {})


@pytest.mark.feature("MOD-25")
def test_mod_25_a_tool_that_nobody_allowed_is_refused_when_it_is_written(world: World) -> None:
    search = PythonTool(name="search", description="Find.", entry_point="os:system")
    with pytest.raises(ToolIsNotAllowed) as refused:
        world.supplies.check(graph_needs(agent(search)))
    assert [fault.pointer for fault in refused.value.faults] == [f"{TOOLS}/0"]
    allowed = search.model_copy(update={"entry_point": "shop.tools:search"})
    world.supplies.check(graph_needs(agent(allowed)))


def test_what_is_not_there_is_named_at_once(world: World) -> None:
    program, dataset_id = world.a_program(agent()), world.a_dataset(train=ROWS)
    tools = (
        worker(uuid4(), name="one"),
        worker(program.id, 2, name="two"),
        look_up(Corpus(dataset_id=uuid4(), field="text")),
        look_up(Corpus(dataset_id=dataset_id, field="title")),
    )
    assert world.refused(agent(*tools)) == [
        (f"{TOOLS}/0", "reference.unknown"),
        (f"{TOOLS}/1", "reference.unknown"),
        (f"{TOOLS}/2/corpus", "reference.unknown"),
        (f"{TOOLS}/3/corpus/field", "dataset.unknown_field"),
    ]
    nowhere = Nearest(dataset_id=uuid4())
    assert world.refused(agent(nearest=nowhere)) == [
        ("/nodes/0/module/config/nearest/dataset_id", "reference.unknown")
    ]


def test_what_many_tools_name_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    program, dataset_id = world.a_program(agent()), world.a_dataset(train=ROWS)
    corpus = Corpus(dataset_id=dataset_id, field="text")
    tools: list[ToolSpec] = [*[look_up(corpus)] * 20, *[worker(program.id)] * 20]
    read, whole = list[UUID](), MemoryRepository.get

    def get(repository: MemoryRepository[Any], id: UUID, *, version: int | None = None) -> Any:
        read.append(id)
        return whole(repository, id, version=version)

    monkeypatch.setattr(MemoryRepository, "get", get)
    world.supplies.check(graph_needs(agent(*tools)))
    assert sorted(read) == sorted([program.id, dataset_id])


def test_a_dataset_without_rows_may_get_any_field_yet(world: World) -> None:
    empty = Corpus(dataset_id=world.a_dataset(), field="text")
    world.supplies.check(graph_needs(agent(look_up(empty))))


def test_what_another_tenant_has_is_not_there(world: World) -> None:
    corpus = Corpus(dataset_id=world.a_dataset(train=ROWS), field="text")
    with acting("other"):
        assert world.refused(agent(look_up(corpus))) == [(f"{TOOLS}/0/corpus", "reference.unknown")]


@pytest.mark.feature("FUT-10")
def test_fut_10_programs_call_programs_to_a_depth_that_is_capped(world: World) -> None:
    program = world.a_program(agent())
    for _ in range(MAX_DEPTH):
        graph = agent(worker(program.id), worker(program.id, name="again"))
        world.supplies.check(graph_needs(graph))
        program = world.a_program(graph)
    assert world.refused(agent(worker(program.id))) == [(f"{TOOLS}/0", "tool.too_deep")]


def test_no_version_of_a_program_can_be_a_tool_of_itself(world: World) -> None:
    program = world.a_program(agent())
    assert world.refused(agent(worker(program.id, 2))) == [(f"{TOOLS}/0", "reference.unknown")]


@pytest.mark.feature("FUT-10")
def test_fut_10_a_program_is_given_the_programs_that_its_tools_name(world: World) -> None:
    deepest = world.a_program(agent())
    middle = world.a_program(agent(worker(deepest.id)))
    tools = (worker(middle.id), worker(deepest.id, name="direct"))
    program = world.a_program(agent(*tools))
    found = world.supplies.runnable(program.id, 1)
    assert found.programs.keys() == {(middle.id, 1), (deepest.id, 1)}
    below = found.programs[middle.id, 1]
    assert below.programs[deepest.id, 1] is found.programs[deepest.id, 1]


@pytest.mark.feature("MOD-03")
def test_mod_03_a_retriever_is_given_a_field_of_every_row_as_text(world: World) -> None:
    dataset_id = world.a_dataset(train=ROWS, heldout=ROWS[:1])
    corpus = Corpus(dataset_id=dataset_id, field="text")
    spec = ModuleSpec(
        kind=ModuleKind.RETRIEVE,
        signature=parse("question -> passages: list[string]"),
        config=ModuleConfig(temperature=0, max_tokens=1),
        parameters=Retrieve(corpus=corpus),
    )
    year = Corpus(dataset_id=dataset_id, field="year")
    assert module_needs(spec).corpora == [("/parameters/corpus", corpus)]
    found = world.supplies.runnable(world.a_program(single(spec)).id, 1)
    assert list(found.corpora.values()) == [
        ["The Eiffel Tower is in Paris.", "", "The Eiffel Tower is in Paris."]
    ]
    years = world.supplies.runnable(world.a_program(agent(look_up(year))).id, 1)
    assert list(years.corpora.values()) == [["1889", "", "1889"]]


def test_examples_are_rows_to_learn_from_and_none_that_judge(world: World) -> None:
    nearest = Nearest(dataset_id=world.a_dataset(train=ROWS, heldout=ROWS[:1]))
    found = world.supplies.runnable(world.a_program(agent(nearest=nearest)).id, 1)
    assert found.examples == {nearest.dataset_id: ROWS}


def test_other_rows_make_another_program(world: World) -> None:
    dataset_id = world.a_dataset(train=ROWS)
    program = world.a_program(agent(look_up(Corpus(dataset_id=dataset_id, field="text"))))
    outer = world.a_program(agent(worker(program.id)))
    before = [world.supplies.runnable(each.id, 1).key for each in (program, outer)]
    assert before == [world.supplies.runnable(each.id, 1).key for each in (program, outer)]
    datasets = MemoryRepository(Dataset, world.log)
    dataset, more = datasets.get(dataset_id), Payload.of(ROWS[:1])
    dataset.load(Split.TRAIN, (more.ref,), count=1, fields=("text", "year"), at=NOW)
    datasets.save(dataset, payloads=[more])
    after = [world.supplies.runnable(each.id, 1).key for each in (program, outer)]
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_rows_are_read_once_for_each_tenant(world: World) -> None:
    program = world.a_program(
        agent(look_up(Corpus(dataset_id=world.a_dataset(train=ROWS), field="text")))
    )
    first = world.supplies.runnable(program.id, 1)
    world.payloads.erase_everything()
    again = world.supplies.runnable(program.id, 1)
    (texts,), (same,) = first.corpora.values(), again.corpora.values()
    assert texts is same
    fresh = replace(world.supplies, remembered=Remembered())
    with pytest.raises(PayloadIsMissing):
        fresh.runnable(program.id, 1)


def test_what_was_not_asked_for_the_longest_is_forgotten_first() -> None:
    remembered, made = Remembered(size=2), list[str]()

    def make(name: str) -> object:
        return remembered.get(name, lambda: made.append(name) or name)  # type: ignore[func-returns-value]  # it notes it

    assert [make(name) for name in ("a", "b", "a", "c", "a", "b")] == ["a", "b", "a", "c", "a", "b"]
    assert made == ["a", "b", "c", "b"]
