"""What a dataset holds reaches a prompt: as passages, and as the examples nearest to a question."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from application.lm_ports import ProgramFailed
from domain.module.values import Nearest
from infrastructure.dspy_runtime.compiler import build
from tests.support.dspy_programs import MemoryJournal
from tests.support.handwritten import DATASET, QUESTION, ROWS, TEXTS, as_data, run, runner

THREE = {"nearest": Nearest(dataset_id=DATASET, k=3)}


def texts(journal: MemoryJournal) -> list[str]:
    (request,) = journal.requests
    assert isinstance(request, dict)
    messages: Any = request["messages"]
    return ["".join(part["text"] for part in message["parts"]) for message in messages]


@pytest.mark.feature("PRD-02")
@pytest.mark.feature("MOD-03")
def test_mod_03_a_retriever_gives_the_nearest_passages_and_asks_no_model() -> None:
    outputs, journal = run("retrieve")
    assert outputs == {"passages": [TEXTS[0], TEXTS[1]]}
    assert journal.calls == []
    (call,) = journal.tool_calls
    assert (call.kind, call.node, call.tool) == ("retrieval", "solve", "retrieve")
    again = runner("retrieve").run(as_data("retrieve"), {"question": QUESTION}, journal, live=False)
    assert again == outputs


@pytest.mark.feature("VIS-07")
@pytest.mark.parametrize("kind", ["predict", "chain_of_thought"])
def test_vis_07_the_three_nearest_examples_stand_in_the_prompt(kind: str) -> None:
    _, journal = run(kind, config=THREE)
    *examples, question = texts(journal)
    shown = [row["question"] for row in ROWS if any(str(row["question"]) in it for it in examples)]
    assert len(shown) == 3
    assert len(examples) == 6
    assert "Is the Eiffel Tower in Rome?" in examples[-2]  # the nearest one stands last
    assert "source" not in "".join(examples)
    assert QUESTION in question


def test_an_example_with_the_very_same_inputs_would_be_the_answer_and_is_left_out() -> None:
    asked = {"question": QUESTION, "answer": "yes"}
    program = as_data("predict", config=THREE)
    program = replace(program, examples={DATASET: [asked, *ROWS, asked]})
    journal = MemoryJournal()
    runner("predict").run(program, {"question": QUESTION}, journal, live=True)
    *examples, question = texts(journal)
    assert len(examples) == 6
    assert QUESTION not in "".join(examples)
    assert QUESTION in question


def test_demos_of_ones_own_stand_before_the_examples() -> None:
    own = {**THREE, "demos": ({"question": "Is this mine?", "answer": "yes"},)}
    _, journal = run("predict", config=own)
    first, *_ = texts(journal)
    assert "Is this mine?" in first


@pytest.mark.parametrize("kind", ["predict", "chain_of_thought"])
def test_an_optimizer_can_copy_and_change_what_looks_examples_up(kind: str) -> None:
    built = build(as_data(kind, config=THREE))
    copied = built.deepcopy()
    assert copied.solve.examples is built.solve.examples
    (path, predictor), *others = copied.named_predictors()
    assert others == []
    assert path.startswith("solve.module")
    assert predictor._node_id == "solve"


@pytest.mark.parametrize("kind", ["retrieve", "predict"])
def test_a_run_without_what_its_module_looks_in_is_refused(kind: str) -> None:
    config = THREE if kind == "predict" else {}
    bare = replace(as_data(kind, config=config), corpora={}, examples={})
    with pytest.raises(ProgramFailed) as failed:
        build(bare)
    assert failed.value.failure.code == "program.unbuildable"


def test_a_search_that_many_copies_share_is_made_ready_once() -> None:
    built = build(as_data("retrieve"))
    assert built.deepcopy().solve.corpus is built.solve.corpus


def test_nobody_is_told_the_examples_of_another_dataset() -> None:
    _, journal = run("predict", config=THREE)
    other = UUID(int=8)
    config = {"nearest": Nearest(dataset_id=other, k=3)}
    rows = [{"question": "Is this another Eiffel Tower?", "answer": "no"}]
    program = replace(as_data("predict", config=config), key="other", examples={other: rows})
    runner("predict").run(program, {"question": QUESTION}, journal, live=True)
    first, second = (journal.answers[call.key] for call in journal.tool_calls)
    assert second == {"result": rows} != first


def test_rows_that_came_later_change_nothing_of_what_was_asked() -> None:
    outputs, journal = run("predict", config=THREE)
    (call,) = journal.tool_calls
    assert (call.kind, call.node, call.tool) == ("retrieval", "solve", "nearest")
    later = {DATASET: [{"question": QUESTION, "answer": "later"}, *ROWS]}
    grown = replace(as_data("predict", config=THREE), key="grown", examples=later)
    assert runner("predict").run(grown, {"question": QUESTION}, journal, live=False) == outputs
