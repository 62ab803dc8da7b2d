"""The control nodes of a graph run as they are written, and fail where they are."""

import re
import threading
from typing import Any

import dspy
import pytest
from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import ProgramFailed, RunnableProgram
from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Condition, Not
from domain.signature.types import INTEGER, ListOf
from infrastructure.dspy_runtime.classes import node_of
from infrastructure.dspy_runtime.compiler import build, source
from infrastructure.dspy_runtime.flow import each as in_order
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import MemoryJournal, bound
from tests.support.echo import Echo, run
from tests.support.graphs import (
    body,
    branch,
    const,
    each,
    graph,
    join,
    loop,
    program,
    step,
)

LETTERS = program(
    "words: list[string], tone -> notes: list[string], text",
    each(
        "noted",
        "word",
        body("word, tone -> note", step("write", "word, tone -> note", word="word", tone="tone"),
             note="write.note"),
        word="words",
        tone="tone",
    ),
    join("all_notes", "tone", "noted.note", "tone", separator="; "),
    notes="noted.note",
    text="all_notes.text",
)  # fmt: skip


def test_a_map_gives_what_each_item_gave_in_their_order() -> None:
    outputs, journal = run(LETTERS, words=["a", "b", "c"], tone="kind")
    notes = ["<note of a kind>", "<note of b kind>", "<note of c kind>"]
    assert outputs == {"notes": notes, "text": f"kind; {'; '.join(notes)}; kind"}
    assert [call.node for call in journal.calls] == ["write"] * 3


def test_fields_are_found_that_are_called_as_the_methods_of_a_prediction() -> None:
    get = body("values -> get", step("tell", "values -> get", values="values"), get="tell.get")
    it = program(
        "keys: list[string] -> items: list[string], labels",
        each("named", "values", get, values="keys"),
        step("sort", "get: list[string] -> labels", get="named.get"),
        items="named.get",
        labels="sort.labels",
    )
    outputs, _ = run(it, keys=["a"])
    assert outputs["items"] == ["<get of a>"]
    assert str(outputs["labels"]).startswith("<labels of")


def test_a_map_over_nothing_gives_nothing() -> None:
    outputs, journal = run(LETTERS, words=[], tone="kind")
    assert outputs == {"notes": [], "text": "kind; kind"}
    assert journal.calls == []


def test_the_items_of_a_map_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)

    class Meeting(Echo):
        def answer(self, request: lm15.Request) -> str:
            together.wait()
            return super().answer(request)

    outputs, _ = run(LETTERS, Meeting(), words=["a", "b", "c"], tone="kind")
    assert len(outputs["notes"]) == 3


def test_optimizers_see_the_calls_of_a_map_in_the_order_of_its_items() -> None:
    last_is_done = threading.Event()

    def ask(item: str) -> str:
        if item == "a":
            assert last_is_done.wait(10)
        dspy.settings.trace.append(item)
        if item == "c":
            last_is_done.set()
        return item

    with dspy.context(num_threads=3, trace=["before"]):
        assert in_order(ask, "abc", at_once=3) == ["a", "b", "c"]
        assert dspy.settings.trace == ["before", "a", "b", "c"]


def test_the_first_failure_of_a_map_is_raised_and_what_has_not_begun_is_left_out() -> None:
    begun: list[int] = []

    def run_one(item: int) -> int:
        begun.append(item)
        raise ValueError(item)

    with dspy.context(num_threads=2), pytest.raises(ValueError, match="0"):
        in_order(run_one, range(50), at_once=2)
    assert len(begun) < 50


ROUTED = program(
    "message, level: integer -> reply",
    branch(
        "routed",
        Comparison(op="ge", field="level", value=3),
        body("message -> reply", step("help", "message -> reply", message="message"),
             reply="help.reply"),
        body("message -> reply", reply="message"),
        level="level",
        message="message",
    ),
    reply="routed.reply",
)  # fmt: skip


@pytest.mark.parametrize(("level", "reply", "calls"), [(3, "<reply of hm>", 1), (2, "hm", 0)])
def test_a_branch_runs_the_body_that_its_condition_chose(
    level: int, reply: str, calls: int
) -> None:
    outputs, journal = run(ROUTED, message="hm", level=level)
    assert (outputs, len(journal.calls)) == ({"reply": reply}, calls)


def compared(op: Any, field: str, value: JsonValue) -> Condition:
    return Comparison(op=op, field=field, value=value)


EMPTY, SURE = Check(op="empty", field="text"), Check(op="true", field="sure")


@pytest.mark.parametrize(
    ("condition", "chosen"),
    [
        (compared("eq", "n", 3), True),
        (compared("ne", "n", 3), False),
        (compared("lt", "n", 3), False),
        (compared("le", "n", 3), True),
        (compared("gt", "n", 3), False),
        (compared("ge", "n", 3), True),
        (compared("in", "n", [1, 2]), False),
        (compared("in", "n", [1, 3]), True),
        (compared("contains", "text", "ell"), True),
        (compared("contains", "words", "ell"), False),
        (compared("contains", "words", "bug"), True),
        (EMPTY, False),
        (Check(op="empty", field="nothing"), True),
        (SURE, True),
        (Not(op="not", of=SURE), False),
        (Not(op="not", of=EMPTY), True),
        (AllOf(op="all", of=(SURE, EMPTY)), False),
        (AnyOf(op="any", of=(SURE, EMPTY)), True),
        (AnyOf(op="any", of=(EMPTY, AllOf(op="all", of=(SURE, Not(op="not", of=EMPTY))))), True),
    ],
)
def test_a_condition_says_what_it_reads_like(condition: Condition, chosen: bool) -> None:
    fields = ("n", "text", "words", "sure", "nothing")
    signature = "n: integer, text, words: list[string], sure: boolean, nothing? -> word"
    bodies = (
        body("n: integer -> word", const(word, word), word=f"{word}.value")
        for word in ("then", "otherwise")
    )
    asked = {*_fields(condition), "n"}
    it = program(
        signature,
        branch("routed", condition, *bodies, **{name: name for name in fields if name in asked}),
        word="routed.word",
    )
    outputs, _ = run(it, n=3, text="hello", words=["bug"], sure=True)
    assert outputs == {"word": "then" if chosen else "otherwise"}


def _fields(condition: Condition) -> set[str]:
    return set(re.findall(r"field='(\w+)'", repr(condition)))


def test_a_loop_ends_after_the_round_that_makes_its_condition_true() -> None:
    longer = body("text -> text", join("twice", "text", "text", separator=""), text="twice.text")
    until = compared("contains", "text", "aaaa")
    it = program(
        "text -> text_after",
        loop("grown", longer, at_most=10, until=until, text="text"),
        text_after="grown.text",
    )
    assert run(it, text="a")[0] == {"text_after": "aaaa"}
    assert run(it, text="aaaa")[0] == {"text_after": "aaaaaaaa"}


def test_what_a_loop_carries_changes_all_at_once() -> None:
    swap = body("a, b -> a, b", a="b", b="a")
    it = program(
        "a, b, n: integer -> x, y",
        loop("swapped", swap, at_most=9, times="n", a="a", b="b"),
        x="swapped.a",
        y="swapped.b",
    )
    assert run(it, a="1", b="2", n=3)[0] == {"x": "2", "y": "1"}


def test_bodies_in_bodies_see_what_is_handed_to_them() -> None:
    inner = body(
        "word, n: integer -> word",
        branch(
            "kept",
            compared("eq", "n", 0),
            body("word -> word", word="word"),
            body("word -> word", join("marked", "word", "word", separator="!"), word="marked.text"),
            n="n",
            word="word",
        ),
        word="kept.word",
    )
    again = body(
        "words: list[string], n: integer -> words: list[string]",
        each("each_word", "word", inner, word="words", n="n", at_once=1),
        words="each_word.word",
    )
    it = program(
        "words: list[string], n: integer -> words_after: list[string]",
        loop("rounds", again, at_most=2, words="words", n="n"),
        words_after="rounds.words",
    )
    assert run(it, words=["a", "b"], n=1)[0] == {"words_after": ["a!a!a!a", "b!b!b!b"]}
    assert run(it, words=["a", "b"], n=0)[0] == {"words_after": ["a", "b"]}


def test_every_name_that_the_source_needs_may_be_a_name_of_the_graph() -> None:
    noted = body("it -> each", step("range", "it -> each", it="it"), each="range.each")
    it = program(
        "dspy: list[string], min: integer, it, super -> word: list[string], last",
        each("each", "it", noted, it="dspy"),
        loop(
            "words",
            body("it, super -> it", join("each_item", "it", "super", separator="+"),
                 it="each_item.text"),
            at_most=3,
            times="min",
            it="it",
            super="super",
        ),
        word="each.each",
        last="words.it",
    )  # fmt: skip
    outputs, journal = run(it, dspy=["x"], min=2, it="i", super="s")
    assert outputs == {"word": ["<each of x>"], "last": "i+s+s"}
    assert journal.calls[0].node == "range"


def test_an_error_says_at_which_node_of_which_body_it_was() -> None:
    built = build(RunnableProgram("it@1", LETTERS, None))
    built.write = lambda **_: dspy.Prediction(note=None)
    with pytest.raises(TypeError) as at_join:
        built(words=["a"], tone="kind")
    assert node_of(at_join.value) == "all_notes"
    built.write = lambda: None
    with pytest.raises(TypeError) as at_module:
        built(words=["a", "b"], tone="kind")
    assert node_of(at_module.value) == "write"
    assert node_of(ValueError("elsewhere")) is None


def test_a_run_that_fails_names_the_node() -> None:
    runner = DspyRunner(bound(Echo()))
    letters = RunnableProgram("it@1", LETTERS, None)
    runner.program(letters).write.demos = None
    with pytest.raises(ProgramFailed, match="The program failed at node write") as failed:
        runner.run(letters, {"words": ["a"], "tone": "kind"}, MemoryJournal(), live=True)
    assert failed.value.failure.code == "program.failed"


def test_an_answer_that_cannot_be_read_names_its_node() -> None:
    it = program(
        "text -> n: integer", step("count", "text -> n: integer", text="text"), n="count.n"
    )
    with pytest.raises(ProgramFailed, match="The model's answer at node count could not be read"):
        run(it, Echo(n="many"), text="a")


def test_a_constant_of_any_type_is_given_as_it_is() -> None:
    value: JsonValue = [1, 2]
    it = program(
        "a -> n: list[integer]", const("some", value, ListOf(item=INTEGER)), n="some.value"
    )
    assert run(it, a="x")[0] == {"n": [1, 2]}


def test_an_output_that_does_not_exist_is_a_typed_failure() -> None:
    missing = graph("a -> b", const("c", "x"), b="c.text")
    with pytest.raises(ProgramFailed) as failed:
        source(missing)
    assert failed.value.failure.code == "program.unbuildable"


def test_optimizers_learn_from_what_runs_in_bodies() -> None:
    runner = DspyRunner(bound(Echo(), concurrency=4))
    rows = [
        dspy.Example(words=["a", "b"], tone="kind", notes=[], text="").with_inputs("words", "tone")
    ]
    teacher = dspy.BootstrapFewShot(metric=lambda *_: True, max_labeled_demos=0)
    with runner.settings(runner.engine(MemoryJournal()), None):
        student = build(RunnableProgram("it@1", LETTERS, None))
        better = teacher.compile(student, trainset=rows)
    learned = {demo["word"] for demo in better.write.demos}
    assert learned <= {"a", "b"}
    assert learned
    assert student.write.demos == []
