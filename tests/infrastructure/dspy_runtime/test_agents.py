"""Agents end: with an answer, or with an error that says so. What they do stands in order."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import ProgramFailed
from infrastructure.dspy_runtime.kinds.actions import Action, action
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import MemoryJournal, bound
from tests.support.handwritten import (
    ACT,
    FINISH,
    QUESTION,
    THOUGHT,
    Reply,
    Shelf,
    Told,
    as_data,
    run,
    runner,
)

ANSWERED = (("## reasoning", THOUGHT), ("`reasoning", THOUGHT))


def steps(outputs: dict[str, Any]) -> list[tuple[str, object]]:
    return [(step["tool"], step["observation"]) for step in outputs["steps"]]


def acting(name: str, **arguments: JsonValue) -> Reply:
    return {"next_thought": f"Use {name}.", "next_tool_name": name, "next_tool_args": arguments}


def calling(name: str, **arguments: JsonValue) -> Reply:
    calls: JsonValue = [{"name": name, "args": arguments}]
    return {"next_thought": f"Use {name}.", "tool_calls": {"tool_calls": calls}}


def failure(kind: str, *replies: tuple[str, Reply], **changed: Any) -> tuple[str, str, int]:
    journal, program = MemoryJournal(), as_data(kind, **changed)
    with pytest.raises(ProgramFailed) as failed:
        runner(kind, *replies).run(program, {"question": QUESTION}, journal, live=True)
    return failed.value.failure.code, failed.value.failure.message, len(journal.calls)


@pytest.mark.feature("MOD-21")
def test_mod_21_a_trajectory_of_three_steps_stands_in_order() -> None:
    outputs, journal = run(
        "react",
        *ANSWERED,
        ("observation_1", FINISH),
        ("observation_0", acting("look", thing="bridge")),
        ("", ACT),
    )
    assert outputs["steps"] == [
        {
            "thought": "I look.",
            "tool": "look",
            "arguments": {"thing": "tower"},
            "observation": "tower is tall.",
        },
        {
            "thought": "Use look.",
            "tool": "look",
            "arguments": {"thing": "bridge"},
            "observation": "bridge is tall.",
        },
        {"thought": "I know.", "tool": "finish", "arguments": {}, "observation": "Completed."},
    ]
    assert journal.arguments == [{"thing": "tower"}, {"thing": "bridge"}]
    assert [call.node for call in journal.calls] == ["solve"] * 4


@pytest.mark.feature("MOD-20")
@pytest.mark.feature("MOD-22")
def test_mod_22_a_model_that_never_finishes_fails_after_exactly_five_iterations() -> None:
    code, message, calls = failure("react", ("", ACT))
    assert code == "max_iterations_reached"
    assert message == "Max iterations reached: there was no answer after 5."
    assert calls == 5


@pytest.mark.feature("MOD-22")
@pytest.mark.parametrize(
    ("kind", "reply", "calls"),
    [
        ("react", ACT, 2),
        ("react_v2", calling("look", thing="tower"), 2),
        ("code_act", {"generated_code": "```python\n1\n```", "finished": False}, 2),
        ("program_of_thought", {"reasoning": "r", "generated_code": "```python\nx\n```"}, 2),
        ("rlm", {"reasoning": "r", "code": "```python\n1\n```"}, 2),
    ],
)
def test_mod_22_every_kind_that_goes_on_and_on_is_ended(
    kind: str, reply: Reply, calls: int
) -> None:
    code, message, made = failure(kind, ("", reply), max_iterations=2)
    assert (code, made) == ("max_iterations_reached", calls)
    assert message == "Max iterations reached: there was no answer after 2."


@pytest.mark.feature("MOD-24")
@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("react", acting("search", query="x"), FINISH),
        ("react_v2", calling("search", query="x"), calling("submit", answer="yes")),
    ],
)
def test_mod_24_an_agent_that_made_a_tool_up_is_told_and_goes_on(
    kind: str, wrong: Reply, right: Reply
) -> None:
    outputs, _ = run(kind, *ANSWERED, ("Unknown tool", right), ("", wrong))
    told = "Unknown tool: search. Choose one of look, "
    end = "finish" if kind == "react" else "submit"
    assert steps(outputs)[0] == ("search", f"{told}{end}.")
    assert steps(outputs)[1][0] == end
    assert outputs["answer"] == "yes"


@pytest.mark.feature("MOD-24")
def test_mod_24_an_agent_that_goes_on_making_tools_up_fails_at_the_cap() -> None:
    code, _, _ = failure("react", ("", acting("search")), max_iterations=3)
    assert code == "max_iterations_reached"


def test_a_tool_that_takes_no_such_argument_says_so_without_a_path() -> None:
    for kind, wrong, right in (
        ("react", acting("finish", why="x"), FINISH),
        ("react_v2", calling("submit"), calling("submit", answer="yes")),
    ):
        outputs, _ = run(kind, *ANSWERED, ("Execution error", right), ("", wrong))
        seen = str(steps(outputs)[0][1])
        assert seen.startswith("Execution error in ")
        assert "/" not in seen
        assert "\n" not in seen


def test_an_agent_without_a_readable_choice_is_asked_again() -> None:
    outputs, _ = run("react", *ANSWERED, ("Unknown tool: none", FINISH), ("", {"words": "Hm."}))
    assert steps(outputs)[0][0] == ""


@pytest.mark.feature("MOD-23")
@pytest.mark.parametrize("said", ["look[tower]", 'look[{"thing": "tower"}]'])
def test_mod_23_the_text_form_is_taken_where_the_asked_for_form_is_missing(said: str) -> None:
    wrong = {"next_thought": "I look.", "next_tool_name": said, "next_tool_args": {}}
    outputs, journal = run("react", *ANSWERED, ("is tall.", FINISH), ("", wrong))
    assert steps(outputs) == [("look", "tower is tall."), ("finish", "Completed.")]
    assert journal.arguments == [{"thing": "tower"}]


class Narrow(Told):
    """A model that reads no more than one step of a trajectory, or none at all."""

    def __init__(self, *replies: tuple[str, Reply], steps: int) -> None:
        super().__init__(*replies)
        self._steps = steps

    def answer(self, request: lm15.Request) -> str:
        if repr(request.messages).count("observation_") > self._steps:
            raise lm15.ContextLengthError("The prompt is too long.")
        return super().answer(request)


REMEMBERING = (
    *ANSWERED,
    ("bridge is tall", FINISH),
    ("tower is tall", acting("look", thing="bridge")),
    ("", ACT),
)


def test_an_agent_whose_steps_grow_too_long_forgets_the_oldest() -> None:
    journal, narrow = (
        MemoryJournal(),
        DspyRunner(bound(Narrow(*REMEMBERING, steps=1)), toolbox=Shelf()),
    )
    outputs = narrow.run(as_data("react"), {"question": QUESTION}, journal, live=True)
    assert [step["tool"] for step in outputs["steps"]] == ["look", "look", "finish"]
    failed = [call.failure.code for call in journal.calls if call.failure]
    assert set(failed) == {"model.context_too_long"}
    again = narrow.run(as_data("react"), {"question": QUESTION}, journal, live=False)
    assert again == outputs


@pytest.mark.parametrize("kind", ["react", "predict"])
def test_a_question_that_is_too_long_by_itself_fails_as_what_it_is(kind: str) -> None:
    narrow = DspyRunner(bound(Narrow(*REMEMBERING, steps=-1)), toolbox=Shelf())
    with pytest.raises(ProgramFailed) as failed:
        narrow.run(as_data(kind), {"question": QUESTION}, MemoryJournal(), live=True)
    assert failed.value.failure.code == "model.context_too_long"


class Look:
    args = ("thing", "place")


TOOLS = {"look": Look(), "finish": None}


@pytest.mark.feature("MOD-23")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Thought: I look.\nAction: look[tower]", ("I look.", "look", {"thing": "tower"})),
        ('Action: look["the tower"]', ("", "look", {"thing": "the tower"})),
        ('Action: look[{"thing": "a", "place": "b"}]', ("", "look", {"thing": "a", "place": "b"})),
        ("Action: finish[]", ("", "finish", {})),
        ("Action: finish[done]", ("", "finish", {})),
        ("Action: search[tower]", ("", "search", {})),
        (
            "[[ ## next_thought ## ]]\nHm.\n\n[[ ## next_tool_name ## ]]\nsearch\n",
            ("Hm.", "search", {}),
        ),
        (
            json.dumps({"next_thought": "Hm.", "next_tool_name": "look[tower]"}),
            ("Hm.", "look", {"thing": "tower"}),
        ),
        ("I do not know.", ("", "", {})),
    ],
)
def test_mod_23_what_an_agent_meant(text: str, meant: Sequence[Any]) -> None:
    assert action(text, TOOLS) == Action(*meant)
