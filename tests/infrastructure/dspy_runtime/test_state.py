"""A state holds what an optimizer found, and nothing that could do harm when it is loaded."""

import copy
import json
from typing import Any

import dspy
import pytest

from application.lm_ports import ProgramFailed
from infrastructure.dspy_runtime.compiler import build
from infrastructure.dspy_runtime.state import dumped
from tests.support.dspy_programs import single, two_steps


def optimized() -> dspy.Module:
    program = build(two_steps())
    program.plan.demos = [dspy.Example(question="1+1?", plan="add", augmented=True)]
    program.plan.signature = program.plan.signature.with_instructions("Plan it well.")
    return program


def state() -> dict[str, Any]:
    return json.loads(json.dumps(dumped(optimized())))  # type: ignore[no-any-return]


@pytest.mark.feature("OPT-19")
def test_opt_19_a_state_is_plain_json_without_a_model() -> None:
    parts = state()
    assert set(parts) == {"plan", "solve.predict"}
    assert parts["plan"]["demos"] == [{"question": "1+1?", "plan": "add", "augmented": True}]
    assert parts["plan"]["signature"]["instructions"] == "Plan it well."
    assert all(part["lm"] is None for part in parts.values())


@pytest.mark.feature("BRG-13")
@pytest.mark.feature("OPT-19")
def test_opt_19_a_loaded_state_gives_back_the_same_state_and_prompt() -> None:
    loaded = build(two_steps(state=state()))
    assert dumped(loaded) == dumped(optimized())
    adapter = dspy.ChatAdapter()
    prompts = [
        adapter.format(each.plan.signature, each.plan.demos, {"question": "2+2?"})
        for each in (loaded, optimized())
    ]
    assert prompts[0] == prompts[1]


def test_plain_dspy_can_load_a_state() -> None:
    program = build(two_steps())
    program.load_state(state())
    assert dumped(program) == dumped(optimized())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s["plan"].update(lm={"model": "x", "api_base": "http://evil"}),
        lambda s: s["plan"].update(forward="x"),
        lambda s: s["plan"].update(demos="not a list"),
        lambda s: s["plan"].update(demos=["not an object"]),
        lambda s: s["plan"]["signature"].update(fields=[]),
        lambda s: s["plan"].pop("signature"),
        lambda s: s.pop("plan"),
        lambda s: s.update(other=s["plan"]),
        lambda s: s["plan"].update(traces=[1]),
    ],
)
@pytest.mark.feature("OPT-19")
def test_opt_19_a_state_with_anything_else_is_refused(spoil: Any) -> None:
    spoiled = copy.deepcopy(state())
    spoil(spoiled)
    with pytest.raises(ProgramFailed) as failed:
        build(two_steps(state=spoiled))
    assert failed.value.failure.code == "program.state_invalid"


def test_a_state_wins_over_the_demos_of_the_module() -> None:
    built = build(single())
    built.solve.demos = [{"question": "q", "answer": "a"}]
    again = build(single(state=dumped(built)))
    assert again.solve.demos == [{"question": "q", "answer": "a"}]
