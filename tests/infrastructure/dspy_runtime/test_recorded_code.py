"""What code gave is a fact of the run: told again in a replay, made again where a run goes on."""

from typing import Any

import pytest
from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import JsonObject, ProgramFailed, RunnableProgram, RunStopped
from application.tool_ports import OutsideTool
from domain.program.graph import ProgramGraph, Source
from infrastructure.dspy_runtime import recorded_code
from infrastructure.dspy_runtime.interpreter import CannotRunCode, ClosedInterpreter, Limits
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import MemoryJournal, bound
from tests.support.handwritten import (
    QUESTION,
    REPLIES,
    SIGNATURE,
    Reply,
    Shelf,
    Told,
    as_data,
    by_hand,
    run,
    runner,
)

INPUTS: dict[str, Any] = {"question": QUESTION}
KINDS = pytest.mark.parametrize("kind", ["program_of_thought", "code_act", "rlm"])


def code(text: str) -> Reply:
    return {"reasoning": "r", "code": f"```python\n{text}\n```"}


THREE_PIECES = (
    ("the second", code("SUBMIT(answer=kept)")),
    ("the first", code("kept = told\nprint('the second')")),
    ("", code("told = look('tower')[:0] or 'yes'\nprint('the first')")),
)


@pytest.mark.feature("MOD-26")
@KINDS
def test_mod_26_no_code_runs_unless_it_is_allowed(kind: str) -> None:
    journal = MemoryJournal()
    closed = DspyRunner(bound(Told(("", {}))), toolbox=Shelf())
    with pytest.raises(ProgramFailed) as failed:
        closed.run(as_data(kind), INPUTS, journal, live=True)
    assert failed.value.failure.code == "module.code_not_allowed"
    assert "STRATAL_ALLOW_CODE=true" in failed.value.failure.message
    assert journal.calls == []
    with pytest.raises(ProgramFailed) as again:
        runner(kind).run(as_data(kind), INPUTS, journal, live=False)
    assert again.value.failure == failed.value.failure


@KINDS
def test_a_run_with_code_is_replayed_without_a_process(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, journal = run(kind)
    assert {(call.kind, call.node) for call in journal.tool_calls} >= {("code", "solve")}
    monkeypatch.setattr(ClosedInterpreter, "start", _must_not)
    assert runner(kind).run(as_data(kind), INPUTS, journal, live=False) == outputs


@KINDS
def test_a_run_with_code_is_replayed_where_code_may_not_run_any_more(kind: str) -> None:
    outputs, journal = run(kind)
    closed = DspyRunner(bound(Told(("", {}))), toolbox=Shelf())
    assert closed.run(as_data(kind), INPUTS, journal, live=False) == outputs


def _must_not(_: ClosedInterpreter) -> None:
    raise AssertionError("a replay starts no process")


def test_what_came_of_code_is_booked_with_the_code() -> None:
    _, journal = run("program_of_thought")
    failed, done = journal.tool_calls
    assert (failed.tool, failed.failure) == ("python", None)
    assert journal.arguments[0] == {"code": "half = 1 / 0\nhalf", "variables": {}}
    assert journal.answers[failed.key] == {
        "result": {"error": "ZeroDivisionError: division by zero (line 1)"}
    }
    assert journal.answers[done.key] == {"result": {"final": {"answer": "yes"}}}


@pytest.mark.parametrize("done", [1, 2])
def test_a_run_that_goes_on_has_the_variables_it_had(done: int) -> None:
    whole, journal = run("rlm", *THREE_PIECES)
    kept = {call.key for call in journal.calls[:done]}
    pieces = [call for call in journal.tool_calls if call.kind == "code"][:done]
    tools = [call for call in journal.tool_calls if call.kind == "tool"]
    kept |= {call.key for call in (*pieces, *tools)}
    resumed = MemoryJournal({key: it for key, it in journal.answers.items() if key in kept})
    outputs = runner("rlm", *THREE_PIECES).run(as_data("rlm"), INPUTS, resumed, live=True)
    assert outputs == whole
    assert len(resumed.calls) == 3 - done
    assert [call.kind for call in resumed.tool_calls] == ["code"] * (3 - done)


def test_a_replay_of_other_code_has_diverged() -> None:
    _, journal = run("program_of_thought")
    for call in journal.tool_calls:
        del journal.answers[call.key]
    with pytest.raises(RunStopped) as stopped:
        runner("program_of_thought").run(as_data("program_of_thought"), INPUTS, journal, live=False)
    assert stopped.value.failure.code == "replay.diverged"


def test_a_replay_tells_the_tool_calls_of_code_from_those_of_a_node_after_it() -> None:
    """The code is not run again in a replay, so what it asked is not asked again either."""
    program, journal = code_then_agent(), MemoryJournal()
    outputs = by_both().run(program, INPUTS, journal, live=True)
    assert [(call.kind, call.node) for call in journal.tool_calls] == [
        ("tool", "coder"),
        ("code", "coder"),
        ("code", "coder"),
        ("tool", "agent"),
    ]
    assert by_both().run(program, INPUTS, journal, live=False) == outputs


def code_then_agent() -> RunnableProgram:
    """Two nodes that look the same thing up."""
    coder, agent = (as_data(kind).graph for kind in ("rlm", "react"))
    nodes = tuple(
        graph.nodes[0].model_copy(update={"id": node})
        for graph, node in ((coder, "coder"), (agent, "agent"))
    )
    (answer,) = SIGNATURE.outputs
    outputs = (answer, answer.model_copy(update={"name": "second"}))
    graph = ProgramGraph(
        signature=SIGNATURE.model_copy(update={"outputs": outputs}),
        nodes=nodes,
        outputs={
            "answer": Source(node="coder", field="answer"),
            "second": Source(node="agent", field="answer"),
        },
    )
    return RunnableProgram("both@1", graph, None)


def by_both() -> DspyRunner:
    """A runner whose tool never says the same twice."""

    class Both(Told):
        def answer(self, request: lm15.Request) -> str:
            kind = "rlm" if "REPL" in f"{request.system} {request.messages}" else "react"
            return Told(*REPLIES[kind]).answer(request)

    class Clock:
        said = 0

        def call(self, tool: OutsideTool, arguments: JsonObject) -> JsonValue:
            self.said += 1
            return f"It is tall at {self.said}."

    return DspyRunner(bound(Both()), toolbox=Clock(), code=Limits())


def test_the_same_code_after_other_code_is_another_piece() -> None:
    """An optimizer tries a row with several candidates; none is told another one's variables."""

    def told(first: str) -> MemoryJournal:
        replies = (
            ("the value is", code("SUBMIT('yes')")),
            ("it is kept", code("print('the value is', kept)")),
            ("", code(f"kept = {first}\nprint('it is kept')")),
        )
        known = {key: it for key, it in journal.answers.items() if key in pieces}
        own = MemoryJournal(known)
        runner("rlm", *replies).run(as_data("rlm"), INPUTS, own, live=True)
        return own

    journal, pieces = MemoryJournal(), set[str]()
    journal = told("1")
    pieces = {call.key for call in journal.tool_calls}
    other = told("2")
    seen = [other.answers[call.key] for call in other.tool_calls]
    assert {"result": {"result": "the value is 2\n"}} in seen


def test_what_is_no_python_is_told_to_the_model_also_in_a_replay() -> None:
    replies = (
        ("invalid syntax", code("SUBMIT('yes')")),
        ("", code("def f(:")),
    )
    outputs, journal = run("rlm", *replies)
    assert "[Error] invalid syntax (line 1)" in str(outputs["steps"])
    replayed = runner("rlm", *replies).run(as_data("rlm"), INPUTS, journal, live=False)
    assert replayed == outputs


def test_what_is_too_much_to_keep_is_told_to_the_model() -> None:
    replies = (
        ("at most", code("SUBMIT('yes')")),
        ("", code("'x' * 2_000_000")),
    )
    outputs, _ = run("rlm", *replies)
    assert "a result has at most" in str(outputs["steps"])


def test_code_sees_the_inputs_and_asks_the_model_within_its_budget() -> None:
    replies = (
        ("It was limited", code("SUBMIT('yes')")),
        ("REPL", code(BUDGET)),
        ("", {"answer": "no"}),
    )
    outputs, journal = run("rlm", *replies)
    assert f"{QUESTION} 3 It was limited" in str(outputs["steps"])
    assert {call.node for call in journal.calls} == {"solve"}


BUDGET = """
asked = 0
try:
    while True:
        llm_query(f"{question} {asked}")
        asked += 1
except Exception as error:
    if "limit exceeded" in str(error):
        print(question, asked, "It was limited")
"""


def test_no_predictor_is_built_on_this_side_out_of_what_code_says() -> None:
    replies = (
        ("is not available here", code("SUBMIT('yes')")),
        ("", code("import dspy\ndspy.Predict('x -> y: antigravity')(x=1)")),
    )
    outputs, _ = run("rlm", *replies)
    assert "dspy is not available here" in str(outputs["steps"])


def test_a_plain_rlm_of_somebodys_own_is_replayed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    journal, own = MemoryJournal(), runner("rlm")
    with own.settings(own.engine(journal), None):
        first = by_hand()["rlm"]()(question=QUESTION)
    monkeypatch.setattr("dspy.primitives.facade._HOST_PROCESS_TOKEN", "of another process")
    with own.settings(own.engine(journal, live=False), None):
        again = by_hand()["rlm"]()(question=QUESTION)
    assert again.answer == first.answer
    assert len(journal.tool_calls) == 2


def test_a_machine_that_cannot_close_a_process_fails_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: ClosedInterpreter) -> None:
        raise CannotRunCode("Code cannot be run here: Still open: network.")

    recorded_code._why_not.cache_clear()
    monkeypatch.setattr(ClosedInterpreter, "start", start)
    with pytest.raises(ProgramFailed) as failed:
        run("program_of_thought")
    recorded_code._why_not.cache_clear()
    assert failed.value.failure.code == "module.code_cannot_run"
    assert recorded_code._why_not(Limits(cpu_s=7)) is not None
    recorded_code._why_not.cache_clear()


def test_a_tool_takes_no_more_than_it_has_arguments_for() -> None:
    replies = (
        ("look takes thing", code("SUBMIT('yes')")),
        ("", code("look('a', 'b')")),
    )
    outputs, _ = run("rlm", *replies)
    assert "look takes thing" in str(outputs["steps"])
