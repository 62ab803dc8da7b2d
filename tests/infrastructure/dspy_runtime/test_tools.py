"""Tools within a run: called once, recorded, replayed, and failing in words that never change."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID

import dspy
import pytest
from pydantic import JsonValue

from application.lm_ports import JsonObject, ProgramFailed, RunnableProgram, RunStopped
from application.tool_ports import OutsideTool, ToolFailed
from domain.retrieval.ranking import Ranking
from domain.signature.fields import FieldSpec
from domain.signature.types import INTEGER
from domain.tool.values import Corpus, ProgramTool, PythonTool, RetrieverTool, ToolSpec
from domain.values import Failure
from infrastructure.dspy_runtime.flow import each
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.side_calls import counting, side_call, the_run
from infrastructure.dspy_runtime.tools import dspy_tools, passages
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single

SEARCH = PythonTool(
    name="search",
    description="Find articles.",
    entry_point="shop.tools:search",
    arguments=(
        FieldSpec(name="query", description="What to look for"),
        FieldSpec(name="limit", type=INTEGER, default=3),
    ),
)
CORPUS = Corpus(dataset_id=UUID(int=1), field="text")
EIFFEL = ("The Eiffel Tower is in Paris.", "Gustave Eiffel built it.", "It rains in London.")
LOOK_UP = RetrieverTool(name="look_up", description="Look it up.", corpus=CORPUS, k=2)
WORKER = ProgramTool(
    name="worker", description="Answer it.", program_id=UUID(int=2), program_version=1
)


class Shelf:
    """A toolbox that answers with what a test says, and remembers what it was asked."""

    def __init__(self, answer: Callable[..., JsonValue] = lambda **it: f"found {it['query']}"):
        self.asked: list[JsonObject] = []
        self._answer = answer

    def call(self, tool: OutsideTool, arguments: JsonObject) -> JsonValue:
        self.asked.append(arguments)
        return self._answer(**arguments)


class Desk:
    """A run whose program is a function of a test, over tools."""

    def __init__(self, shelf: Shelf, journal: MemoryJournal, *, live: bool = True) -> None:
        self.runner = DspyRunner(bound(FakeEngine()), toolbox=shelf)
        self.journal, self._engine = journal, self.runner.engine(journal, live=live)

    def run(self, act: Callable[[], Any], **inputs: Any) -> Any:
        class Program(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
            def forward(self, **_: Any) -> Any:
                return dspy.Prediction(got=act())

        with self.runner.settings(self._engine, None):
            return counting(Program)()(**inputs).got


def tools(*specs: ToolSpec, program: RunnableProgram | None = None) -> list[Any]:
    return list(dspy_tools("agent", specs, program or single()))


def searching(times: int = 1, query: str = "cats") -> Callable[[], list[str]]:
    (search,) = tools(SEARCH)
    return lambda: [search(query=query) for _ in range(times)]


@pytest.mark.feature("MOD-25")
def test_mod_25_a_tool_is_called_once_and_answered_from_the_log_when_it_is_replayed() -> None:
    shelf, journal = Shelf(), MemoryJournal()
    assert Desk(shelf, journal).run(searching()) == ["found cats"]
    assert Desk(shelf, journal, live=False).run(searching()) == ["found cats"]
    assert shelf.asked == [{"query": "cats", "limit": 3}]
    (call,) = journal.tool_calls
    assert (call.kind, call.node, call.tool, call.failure) == ("tool", "agent", "search", None)
    assert journal.arguments == [{"query": "cats", "limit": 3}]
    assert list(journal.answers.values()) == [{"result": "found cats"}]


def test_an_agent_that_asks_twice_is_told_twice() -> None:
    answers = iter(["first", "second"])
    shelf, journal = Shelf(lambda **_: next(answers)), MemoryJournal()
    assert Desk(shelf, journal).run(searching(2)) == ["first", "second"]
    assert Desk(shelf, journal, live=False).run(searching(2)) == ["first", "second"]
    assert len(shelf.asked) == 2


def test_a_program_that_is_called_again_on_the_same_inputs_calls_no_tool_again() -> None:
    shelf, journal = Shelf(), MemoryJournal()
    desk = Desk(shelf, journal)
    for _ in range(3):
        desk.run(searching(), question="Why?")
    assert len(shelf.asked) == 1
    desk.run(searching(), question="Why not?")
    assert len(shelf.asked) == 2


def test_rows_in_any_number_of_threads_have_the_results_of_their_own() -> None:
    numbers, lock = iter(range(1000)), threading.Lock()

    def next_number(**_: Any) -> JsonValue:
        with lock:
            return next(numbers)

    journal = MemoryJournal()

    def rows(*, live: bool, threads: int) -> list[Any]:
        desk = Desk(Shelf(next_number), journal, live=live)
        with ThreadPoolExecutor(threads) as pool:
            asked = [pool.submit(desk.run, searching(3), row=row) for row in range(20)]
            return [each.result() for each in asked]

    first = rows(live=True, threads=8)
    assert len({number for row in first for number in row}) == 60
    assert rows(live=False, threads=3) == first


def test_the_items_of_a_map_have_the_results_of_their_own_whichever_comes_first() -> None:
    numbers, lock = iter(range(1000)), threading.Lock()

    def next_number(**_: Any) -> JsonValue:
        with lock:
            return next(numbers)

    def mapped(at_once: int) -> Callable[[], list[Any]]:
        act = searching(2)
        return lambda: [each(lambda _: act(), range(5), at_once=at_once) for _ in range(2)]

    journal = MemoryJournal()
    first = Desk(Shelf(next_number), journal).run(mapped(1))
    assert len({number for items in first for item in items for number in item}) == 20
    assert Desk(Shelf(next_number), journal, live=False).run(mapped(4)) == first


@pytest.mark.feature("MOD-25")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Missing arguments: query The tool"),
        ({"query": ["cats"]}, "query is"),
        ({"query": "cats", "page": 2}, "The tool has no argument page. Remove it."),
        ({"query": "cats", "self": 1}, "The tool has no argument self. Remove it."),
    ],
)
def test_mod_25_arguments_that_do_not_fit_are_told_to_the_model_and_call_nothing(
    given: JsonObject, said: str
) -> None:
    shelf, journal = Shelf(), MemoryJournal()
    (search,) = tools(SEARCH)
    told = Desk(shelf, journal).run(lambda: search(**given))
    assert told.startswith("Execution error in search: ")
    assert said.split(" The tool", maxsplit=1)[0] in told
    assert shelf.asked == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ToolFailed(Failure(code="tool.timeout", message="It took too long.")),
            "It took too long.",
        ),
        (ValueError(), "ValueError."),
        (
            ValueError('File "/home/ada/shop/tools.py", line 12, at 0x7f3a9c0\nTraceback'),
            'ValueError: File "…", line …, at 0x…',
        ),
        (OSError("https://api.shop.example/items/7 said 500"), "said 500"),
        (
            RuntimeError("api_key=abcdef123456 is wrong"),
            "RuntimeError: api_key=[redacted] is wrong",
        ),
    ],
)
def test_what_goes_wrong_in_a_tool_is_told_in_stable_words_and_recorded(
    error: Exception, said: str
) -> None:
    def fail(**_: Any) -> JsonValue:
        raise error

    journal = MemoryJournal()
    (told,) = Desk(Shelf(fail), journal).run(searching())
    assert told.startswith("Execution error in search: ")
    assert said in told
    assert journal.tool_calls[0].failure is not None
    assert Desk(Shelf(), journal, live=False).run(searching()) == [told]


def test_a_result_that_is_too_long_for_a_prompt_is_a_failure() -> None:
    (told,) = Desk(Shelf(lambda **_: "x" * 2_000_000), MemoryJournal()).run(searching())
    assert "search gave 2000002 bytes; a result has at most 1000000." in told


def test_what_no_text_can_hold_is_mended_before_the_program_sees_it() -> None:
    journal = MemoryJournal()
    got = Desk(Shelf(lambda **_: ["\ud800", float("nan")]), journal).run(searching())
    assert got == [["\ufffd", None]]


def test_a_replay_that_calls_a_tool_that_is_not_in_the_log_diverges() -> None:
    journal = MemoryJournal()
    Desk(Shelf(), journal).run(searching())
    for act in (searching(query="dogs"), searching(2)):
        with pytest.raises(RunStopped) as stopped:
            Desk(Shelf(), journal, live=False).run(act)
        assert stopped.value.failure.code == "replay.diverged"
        assert "agent, calling search," in stopped.value.failure.message


def test_a_run_that_was_stopped_calls_no_tool_more() -> None:
    class Fenced(MemoryJournal):
        def record_tool_call(self, *_: Any) -> None:
            raise RunStopped(Failure(code="run.cancelled", message="It was cancelled."))

    shelf = Shelf()
    desk = Desk(shelf, Fenced())
    for _ in range(2):
        with pytest.raises(RunStopped, match="cancelled"):
            desk.run(searching())
    assert len(shelf.asked) == 1


@pytest.mark.feature("MOD-03")
def test_a_retriever_gives_the_nearest_passages_and_none_that_shares_no_word() -> None:
    program = with_parts(single(), corpora={CORPUS: EIFFEL})
    (look_up,) = tools(LOOK_UP, program=program)
    journal = MemoryJournal()

    def ask() -> list[Any]:
        return [look_up(query="Who built the Eiffel tower?"), look_up(query="nothing")]

    got = Desk(Shelf(), journal).run(ask)
    assert got == [[EIFFEL[0], EIFFEL[1]], []]
    assert [call.kind for call in journal.tool_calls] == ["retrieval", "retrieval"]
    assert Desk(Shelf(), journal, live=False).run(ask) == got


def test_a_retriever_is_not_told_what_another_corpus_gave_under_the_same_name() -> None:
    """As where an optimizer's next candidate takes the other branch for the same row."""
    weather = LOOK_UP.model_copy(update={"corpus": Corpus(dataset_id=UUID(int=9), field="text")})
    corpora = {CORPUS: EIFFEL, weather.corpus: ["It rains."]}
    program, journal = with_parts(single(), corpora=corpora), MemoryJournal()
    got: list[Any] = []
    for each_tool in (LOOK_UP, weather):
        (look_up,) = tools(each_tool, program=program)
        got += Desk(Shelf(), journal).run(partial(look_up, query="rains"), row="1")
    assert got == [EIFFEL[2], "It rains."]


def test_a_corpus_or_a_program_that_was_not_given_is_a_fault_of_the_program() -> None:
    for spec, what in ((LOOK_UP, "the dataset"), (WORKER, "version 1 of")):
        with pytest.raises(ProgramFailed, match=what):
            tools(spec)


@pytest.mark.feature("FUT-10")
def test_fut_10_a_program_that_is_a_tool_books_its_calls_on_the_run_under_its_path() -> None:
    worker = single(key="worker@1")
    program = with_parts(single(), programs={(WORKER.program_id, 1): worker})
    (ask_worker,) = tools(WORKER, program=program)
    journal = MemoryJournal()

    def plan() -> list[Any]:
        return [ask_worker(question="Why?"), ask_worker(question="Why?"), ask_worker(topic="?")]

    first, second, refused = Desk(Shelf(), journal).run(plan)
    assert first == second
    assert set(first) == {"answer"}
    assert refused.startswith("Execution error in worker: Missing arguments: question")
    assert [call.node for call in journal.calls] == ["agent.worker/solve"]
    assert [(call.node, call.tool) for call in journal.tool_calls] == [("agent", "worker")] * 2
    assert Desk(Shelf(), journal, live=False).run(plan) == [first, second, refused]


def test_a_program_that_gives_something_else_when_it_is_replayed_diverges() -> None:
    worker = single(key="worker@1")
    program = with_parts(single(), programs={(WORKER.program_id, 1): worker})
    (ask_worker,) = tools(WORKER, program=program)
    journal = MemoryJournal()
    Desk(Shelf(), journal).run(lambda: ask_worker(question="Why?"))
    (used,) = journal.tool_calls
    journal.answers[used.key] = {"result": {"answer": "another"}}
    with pytest.raises(RunStopped, match="gave something else"):
        Desk(Shelf(), journal, live=False).run(lambda: ask_worker(question="Why?"))
    del journal.answers[used.key]
    with pytest.raises(RunStopped, match="calling worker, made a call that is not in the log"):
        Desk(Shelf(), journal, live=False).run(lambda: ask_worker(question="Why?"))


def test_a_failure_of_a_program_that_is_a_tool_is_told_to_the_one_that_asked() -> None:
    class Silent(FakeEngine):
        def answer(self, request: Any) -> str:
            return "no field at all"

    worker = single(key="worker@1")
    program = with_parts(single(), programs={(WORKER.program_id, 1): worker})
    (ask_worker,) = tools(WORKER, program=program)
    desk = Desk(Shelf(), MemoryJournal())
    desk.runner = DspyRunner(bound(Silent()))
    desk._engine = desk.runner.engine(desk.journal)
    told = desk.run(lambda: ask_worker(question="Why?"))
    assert told.startswith("Execution error in worker: The model's answer at node solve could")


def test_a_tool_shows_a_model_its_arguments_as_plain_dspy_would() -> None:
    def search(query: str, limit: int = 3) -> str:
        """Find articles."""
        return query + str(limit)

    plain = dspy.Tool(search, arg_desc={"query": "What to look for"})
    (ours,) = tools(SEARCH)
    assert str(ours) == str(plain)
    assert ours.format_as_litellm_function_call() == plain.format_as_litellm_function_call()


def test_a_tool_may_be_awaited() -> None:
    (search,) = tools(SEARCH)
    assert asyncio.run(search.acall(page=1)) == (
        "Execution error in search: Missing arguments: query The tool has no argument page. "
        "Remove it."
    )


def test_outside_of_a_run_side_calls_are_made_and_tools_are_not() -> None:
    assert side_call("code", "agent", "python", {"code": "1"}, lambda: 1) == 1
    found = passages("agent", "search", Ranking(EIFFEL), EIFFEL, "rains", 3, corpus=CORPUS)
    assert found == [EIFFEL[2]]
    assert each(lambda row: row, [1, 2], at_once=1) == [1, 2]
    with pytest.raises(RuntimeError, match="within a run"):
        the_run()


def with_parts(
    program: RunnableProgram,
    *,
    programs: Mapping[tuple[UUID, int], RunnableProgram] | None = None,
    corpora: Mapping[Corpus, Sequence[str]] | None = None,
) -> RunnableProgram:
    return RunnableProgram(
        program.key, program.graph, None, programs=programs or {}, corpora=corpora or {}
    )
