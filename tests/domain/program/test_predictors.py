"""The predictors of a program, its states and edits, told without DSPy."""

from typing import Any

import pytest

from domain.module.kinds import ModuleKind
from domain.module.values import ModuleSpec
from domain.program.edits import PredictorEdit, check_edits, edited, merged
from domain.program.errors import InvalidEdit, InvalidState
from domain.program.graph import single
from domain.program.predictors import Predictor, check_state, loaded, predictors
from domain.program.state import PredictorState, State, read_state
from tests.architecture.golden.examples import EXAMPLES
from tests.support.graphs import module, signature

KNOWN = predictors(single(module("question -> answer"), node_id="ask"))
STATE: dict[str, Any] = {
    "demos": [{"question": "1+1?", "answer": "2"}],
    "signature": {
        "instructions": "Add.",
        "fields": [{"prefix": "Q:", "description": "q"}, {"prefix": "A:", "description": "a"}],
    },
}


def state(**changes: Any) -> State:
    return read_state({"ask": STATE | changes})


def test_a_state_is_loaded_over_what_was_written() -> None:
    found = loaded(KNOWN, state())["ask"]
    assert (found.instructions, found.demos) == ("Add.", ({"question": "1+1?", "answer": "2"},))
    assert isinstance(state()["ask"], PredictorState)
    check_state(state(), KNOWN)


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"ask": STATE | {"lm": {"api_base": "http://evil"}}}, "/ask/lm"),
        ({"ask": STATE | {"forward": "x"}}, "/ask/forward"),
        ({"ask": {"demos": []}}, "/ask/signature"),
        ({"ask": STATE | {"demos": [{"a": "\x00"}]}}, "/ask/demos/0/a"),
        ("none", ""),
    ],
)
def test_what_is_no_state_is_refused(content: Any, pointer: str) -> None:
    with pytest.raises(InvalidState) as refusal:
        read_state(content)
    assert refusal.value.faults[0].pointer == pointer


def test_the_state_of_another_program_is_refused_with_every_fault() -> None:
    one = {"instructions": "x", "fields": [{"prefix": "Q:", "description": "q"}]}
    other = read_state({"ask": STATE | {"signature": one}, "nobody": STATE})
    with pytest.raises(InvalidState) as refusal:
        check_state(other, KNOWN, "/state")
    assert [each.pointer for each in refusal.value.faults] == [
        "/state",
        "/state/ask/signature/fields",
    ]


def test_edits_add_up_and_the_last_word_counts() -> None:
    first = {"ask": PredictorEdit(instructions="One.", demos=({"question": "1?"},))}
    both = merged(first, {"ask": PredictorEdit(instructions="Two."), "a": PredictorEdit()})
    assert list(both) == ["a", "ask"]
    assert both["ask"] == PredictorEdit(instructions="Two.", demos=({"question": "1?"},))
    assert edited(KNOWN, both)["ask"].instructions == "Two."
    assert edited(KNOWN, {}) == KNOWN


@pytest.mark.parametrize(
    ("edit", "pointer"),
    [
        ({"nobody": PredictorEdit()}, "/predictors/nobody"),
        ({"ask": PredictorEdit(instructions=" ")}, "/predictors/ask/instructions"),
        ({"ask": PredictorEdit(instructions="a\x00")}, "/predictors/ask/instructions"),
        ({"ask": PredictorEdit(demos=({"x": 1},))}, "/predictors/ask/demos/0"),
        ({"ask": PredictorEdit(demos=({"question": "\x00"},))}, "/predictors/ask/demos/0/question"),
        ({"ask": PredictorEdit(demos=({"question": "1?"},) * 1001)}, "/predictors/ask/demos"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit: Any, pointer: str) -> None:
    with pytest.raises(InvalidEdit) as refusal:
        check_edits(edit, KNOWN)
    assert refusal.value.faults[0].pointer == pointer


def test_a_bootstrapped_demo_keeps_its_mark() -> None:
    demo = {"question": "1?", "augmented": True}
    check_edits({"ask": PredictorEdit(demos=(demo,))}, KNOWN)


def test_a_retriever_asks_no_model() -> None:
    given = {"corpus": {"dataset_id": "00000000-0000-0000-0000-000000000001", "field": "text"}}
    spec = ModuleSpec.model_validate(
        {
            "kind": ModuleKind.RETRIEVE,
            "signature": signature("query -> passages: list[string]"),
            "config": module("a -> b").config,
            "parameters": given,
        }
    )
    found = predictors(single(spec))
    assert found == {}
    with pytest.raises(InvalidEdit, match="it asks no model"):
        check_edits({"x": PredictorEdit()}, found)


def test_the_predictors_of_a_module_of_ones_own_are_those_of_its_probe() -> None:
    created = [each for each in EXAMPLES["program.created"] if _own(each)]
    assert created
    for each in created:
        for predictor in _own(each):
            assert predictor.path.startswith(f"{predictor.node}.")


def _own(created: Any) -> list[Predictor]:
    found = predictors(created.graph).values()
    return [each for each in found if each.kind is ModuleKind.CUSTOM]
