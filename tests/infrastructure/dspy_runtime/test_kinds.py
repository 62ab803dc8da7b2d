"""Each kind asks a model just what the module asks that somebody writes by hand in plain DSPy."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dspy
import pytest

from domain.module.values import ModuleKind
from infrastructure.dspy_runtime.compiler import build, source
from infrastructure.dspy_runtime.kinds import KINDS
from tests.support.dspy_programs import MemoryJournal
from tests.support.handwritten import QUESTION, as_data, by_hand, run, runner

GOLDEN = Path(__file__).parent / "golden" / "kinds"
IN_DSPY = sorted(by_hand())
BOTH = pytest.mark.parametrize("adapter", ["chat", "json"])


def asked_by_hand(kind: str, adapter: str) -> MemoryJournal:
    journal, hand = MemoryJournal(), runner(kind, adapter=adapter)
    with hand.settings(hand.engine(journal), None), dspy.context(trace=[]):
        written(kind)(question=QUESTION)
    return journal


def written(kind: str) -> dspy.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # DSPy's word about what 3.5 drops
        return by_hand()[kind]()


def page(requests: list[Any]) -> str:
    return "\n".join(line for request in requests for line in _lines(request)) + "\n"


def _lines(request: Any) -> Iterator[str]:
    yield f"===== call\n--- system\n{request['system']}"
    for message in request["messages"]:
        yield f"--- {message['role']}"
        yield from (part.get("text") or json.dumps(part) for part in message["parts"])
    yield f"--- config\n{json.dumps(request.get('config', {}))}"


@BOTH
@pytest.mark.parametrize("kind", IN_DSPY)
@pytest.mark.feature("MOD-13")
def test_mod_13_a_kind_asks_what_plain_dspy_asks(kind: str, adapter: str) -> None:
    _, ours = run(kind, adapter=adapter)
    theirs = asked_by_hand(kind, adapter)
    assert page(ours.requests) == page(theirs.requests)
    assert page(ours.requests) == (GOLDEN / f"{kind}_{adapter}.txt").read_text()


@pytest.mark.feature("BRG-13")
@pytest.mark.parametrize("kind", IN_DSPY)
def test_the_state_of_a_kind_goes_into_plain_dspy_and_back(kind: str) -> None:
    ours, theirs = build(as_data(kind)).solve, written(kind)
    for number, predictor in enumerate(ours.predictors()):
        predictor.signature = predictor.signature.with_instructions(f"Changed {number}.")
        predictor.demos = [{"question": f"demo {number}"}]
    theirs.load_state(ours.dump_state())
    assert theirs.dump_state() == ours.dump_state()
    back = build(as_data(kind)).solve
    back.load_state(theirs.dump_state())
    assert back.dump_state() == ours.dump_state()


def test_every_kind_is_built_by_one_line_of_a_table() -> None:
    assert KINDS.keys() == set(ModuleKind)


CONSTRUCTORS = {
    "predict": "dspy.Predict(solve_signature, temperature=0.0, max_tokens=1000)",
    "chain_of_thought": "dspy.ChainOfThought(solve_signature, temperature=0.7, max_tokens=1500)",
    "react": "ReAct(solve_signature, tools=solve_tools, max_iters=5, temperature=0.7,"
    " max_tokens=1500)",
    "retrieve": "Retriever(solve_signature, solve_corpus, k=2)",
    "best_of_n": "BestOfN(dspy.ChainOfThought(solve_signature, temperature=0.7, max_tokens=1500),"
    " N=2, reward_fn=solve_reward, threshold=1.0)",
    "ensemble": "EnsembleOf([dspy.Predict(solve_signature_1, temperature=0.7, max_tokens=1500),"
    " dspy.ChainOfThought(solve_signature_2, temperature=0.7, max_tokens=1500)], size=None,"
    " reduce='majority', field='answer')",
    "majority": "MajorityVote(dspy.ChainOfThought(solve_signature, temperature=0.7,"
    " max_tokens=1500), n=5, field='answer')",
}


@pytest.mark.parametrize("kind", sorted(CONSTRUCTORS))
def test_a_kind_reads_in_the_source_as_somebody_would_write_it(kind: str) -> None:
    assert f"        self.solve = {CONSTRUCTORS[kind]}\n" in source(as_data(kind).graph)


@pytest.mark.feature("MOD-11")
def test_mod_11_a_module_is_made_of_a_signature_and_what_was_chosen() -> None:
    program = as_data("predict", config={"temperature": 0.3})
    assert build(program).solve.config == {"temperature": 0.3, "max_tokens": 1000}


@pytest.mark.parametrize("kind", ["react", "program_of_thought", "code_act", "rlm"])
def test_settings_reach_every_predictor_of_a_kind(kind: str) -> None:
    program = as_data(kind, config={"temperature": 0.3, "max_tokens": 77})
    for predictor in build(program).predictors():
        assert predictor.config == {"temperature": 0.3, "max_tokens": 77}


@pytest.mark.feature("MOD-18")
def test_mod_18_a_template_of_ones_own_is_the_instruction() -> None:
    """DSPy's own prompt has no such phrase today; whoever wants it says it in the signature."""
    program = as_data("chain_of_thought")
    phrase = "Let's think step by step to answer this question."
    for predictor in (built := build(program)).predictors():
        predictor.signature = predictor.signature.with_instructions(phrase)
    journal, hand = MemoryJournal(), runner("chain_of_thought")
    with hand.settings(hand.engine(journal), None):
        built(question=QUESTION)
    assert phrase in page(journal.requests)
    assert phrase not in (GOLDEN / "chain_of_thought_chat.txt").read_text()


def test_what_a_module_asks_by_itself_is_booked_at_its_node() -> None:
    _, refined = run("refine")
    _, looked = run("rlm", *ASKING)
    assert {(call.node, call.role) for call in refined.calls} == {("solve", "task")}
    assert {(call.node, call.role) for call in looked.calls} == {("solve", "task")}


ASKING = (
    ("Output", {"reasoning": "I know.", "code": "```python\nSUBMIT('no')\n```"}),
    ("REPL", {"reasoning": "I ask.", "code": "```python\nprint(llm_query('Is it?'))\n```"}),
    ("", {"answer": "It is."}),
)
