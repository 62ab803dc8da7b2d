"""Programs of every kind on a model of chance: recorded by some threads, then replayed by some."""

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID, uuid4

from dspy import lm15
from pydantic import JsonValue

from application.commands import Command
from application.datasets import CreateDataset, LoadRows
from application.executions import RequestExecution, RunExecution
from application.replays import RequestReplay, RunReplay
from domain.dataset.values import Split
from domain.kernel import Event
from domain.module.values import ModuleKind
from domain.program.graph import ProgramGraph
from domain.signature.types import STRING, ListOf
from infrastructure.dspy_runtime.engine import DspyEngine
from infrastructure.dspy_runtime.interpreter import Limits
from tests.support.dspy_programs import FakeEngine, bound, engine_on
from tests.support.graphs import body, const, each, program, step
from tests.support.handwritten import (
    ACT,
    CORPUS,
    DATASET,
    FINISH,
    REPLIES,
    ROWS,
    TEXTS,
    THOUGHT,
    Reply,
    Shelf,
    Told,
    as_data,
)

A = TypeVar("A")
R = TypeVar("R")

KINDS: Final = sorted(set(ModuleKind) - {ModuleKind.CUSTOM})
_ENTROPY: Final = random.SystemRandom()
_THINGS: Final = ("tower", "bridge", "river", "cat")


def at_once() -> ProgramGraph:
    """A question about each of eight things, all at the same time."""
    things: list[JsonValue] = [f"{thing} {number}" for thing in _THINGS for number in range(2)]
    inner = body(
        "question, thing -> answer",
        step("look", "question, thing -> answer", question="question", thing="thing"),
        answer="look.answer",
    )
    return program(
        "question -> answer: list[string]",
        const("things", things, ListOf(item=STRING)),
        each("all", "thing", inner, at_once=8, question="question", thing="things.value"),
        answer="all.answer",
    )


def graphs() -> Mapping[str, ProgramGraph]:
    """What is run, by its name."""
    return {**{str(kind): as_data(kind).graph for kind in KINDS}, "map": at_once()}


class Chance(FakeEngine):
    """Says what a module of the kind that the question names understands, never the same twice."""

    def answer(self, request: lm15.Request) -> str:
        seen = repr(request.messages)
        kind = next((each for each in REPLIES if f"[{each}]" in seen), "")
        said = next(reply for text, reply in REPLIES.get(kind, (("", THOUGHT),)) if text in seen)
        if kind == "react" and said in (ACT, FINISH):
            said = _ENTROPY.choice((ACT, FINISH))
        return Told(("", _varied(said))).answer(request)


def _varied(said: Reply) -> Reply:
    chosen: dict[str, Any] = {
        "answer": _ENTROPY.choice(("yes", "no", "unsure")),
        "reasoning": f"{_ENTROPY.getrandbits(64):x}",
        "next_thought": f"{_ENTROPY.getrandbits(64):x}",
        "next_tool_args": {"thing": _ENTROPY.choice(_THINGS)},
    }
    known = {name: chosen.get(name, value) for name, value in said.items()}
    return known | ({"next_tool_args": {}} if said.get("next_tool_name") == "finish" else {})


class Place(Protocol):
    """Where commands are carried out."""

    def do(self, command: Command) -> object: ...
    def a_program(self, graph: ProgramGraph) -> UUID: ...
    def events(self, id: UUID) -> Sequence[Event]: ...


def engine_of_chance(model: Chance, *, concurrency: int = 8) -> DspyEngine:
    """DSPy on *model*, with the tool that agents have, and leave to run code."""
    return engine_on(bound(model, concurrency=concurrency), toolbox=Shelf(), code=Limits())


class Mixed:
    """Programs of all kinds, to be executed and replayed at *place*."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._load(DATASET, "examples", [dict(row) for row in ROWS])
        self._load(CORPUS.dataset_id, "texts", [{"text": text} for text in TEXTS])
        self.programs = {name: place.a_program(graph) for name, graph in graphs().items()}

    def executed(self, count: int, threads: int) -> Sequence[UUID]:
        """The ids of *count* executions, each program in turn, by *threads* at once."""
        names = islice(cycle(self.programs), count)
        return in_threads(self._execute, list(enumerate(names)), threads)

    def replayed(self, ids: Sequence[UUID], threads: int) -> Sequence[Event]:
        """What came of a replay of each."""
        return in_threads(self._replay, ids, threads)

    def _execute(self, numbered: tuple[int, str]) -> UUID:
        number, name = numbered
        return execute(self.place, self.programs[name], f"[{name}] Is number {number} tall?")

    def _replay(self, execution_id: UUID) -> Event:
        self.place.do(RequestReplay(execution_id=execution_id))
        self.place.do(RunReplay(execution_id=execution_id, replay=1))
        return self.place.events(execution_id)[-1]

    def _load(self, id: UUID, name: str, rows: list[dict[str, Any]]) -> None:
        self.place.do(CreateDataset(dataset_id=id, name=name))
        body = {"dataset_id": id, "split": Split.TRAIN, "rows": rows}
        self.place.do(LoadRows.model_validate(body))


def execute(place: Place, program_id: UUID, question: str) -> UUID:
    """Request an execution, carry it out, and return its id."""
    execution_id = uuid4()
    wish = {"execution_id": execution_id, "program_id": program_id}
    place.do(RequestExecution.model_validate(wish | {"inputs": {"question": question}}))
    place.do(RunExecution(execution_id=execution_id))
    return execution_id


def in_threads(do: Callable[[A], R], of: Sequence[A], threads: int) -> Sequence[R]:
    """What *do* gives for each, so many *threads* at work."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(do, of))
