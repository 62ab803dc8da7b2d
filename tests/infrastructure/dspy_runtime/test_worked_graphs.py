"""The worked graphs of the papers: how often they ask, what they hand on, what they become."""

import pytest
from pydantic import JsonValue

from application.lm_ports import RunnableProgram
from infrastructure.dspy_runtime.compiler import build, source
from tests.support.echo import TEXTS, Echo, run
from tests.support.graphs import (
    TOWERS,
    qa_with_retrieval,
    simplified_baleen,
)

BALEEN = """\
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.generate_query = dspy.ChainOfThought(generate_query_signature, temperature=0.7, max_tokens=100)
        self.retrieve = Retriever(retrieve_signature, retrieve_corpus, k=2)
        self.generate_answer = dspy.Predict(generate_answer_signature, temperature=0.7, max_tokens=1000)

    def forward(self, *, question, max_hops=2):
        nothing = ''
        context = nothing
        for _ in range(min(4 if max_hops is None else max_hops, 4)):
            generate_query = self.generate_query(context=context, question=question)
            retrieve = self.retrieve(query=generate_query.query)
            found = '\\n'.join(retrieve.passages)
            longer = '\\n\\n'.join([context, found])
            context = longer
        generate_answer = self.generate_answer(context=context, question=question)
        return dspy.Prediction(reasoning=generate_answer.reasoning, answer=generate_answer.answer, confidence=generate_answer.confidence, context=context)
"""  # noqa: E501 - as it is generated


FOUND = f"{TEXTS[1]}\n{TEXTS[2]}"
QUESTION = "When was the tower opened?"


@pytest.mark.feature("MOD-29")
@pytest.mark.feature("MOD-30")
def test_mod_30_the_context_is_the_passages_one_beneath_the_other() -> None:
    outputs, journal = run(qa_with_retrieval(), Echo(confidence=0.5), question=QUESTION)
    assert [call.node for call in journal.calls] == ["generate"]
    assert [call.node for call in journal.tool_calls] == ["retrieve"]
    assert f"[[ ## context ## ]]\n{FOUND}\n\n[[ ## question ## ]]" in journal.prompts[0]
    assert outputs.keys() == {"reasoning", "answer", "confidence"}


@pytest.mark.feature("EX-05")
@pytest.mark.parametrize("hops", [0, 1, 2, 9, -1])
def test_ex_05_each_hop_adds_its_passages_to_the_context(hops: int) -> None:
    outputs, journal = run(
        simplified_baleen(),
        Echo(query="the opened tower", confidence=0.5),
        question="When?",
        max_hops=hops,
    )
    rounds = max(0, min(hops, 4))
    asked = [*["generate_query"] * rounds, "generate_answer"]
    assert [call.node for call in journal.calls] == asked
    assert len(journal.tool_calls) == rounds
    assert outputs["context"] == f"\n\n{FOUND}" * rounds


@pytest.mark.feature("EX-03")
def test_ex_03_a_program_has_two_hops_unless_told_otherwise() -> None:
    it = simplified_baleen()
    told, silent = (
        run(it, Echo(query="the opened tower", confidence=0.5), question="When?", **more)[0][
            "context"
        ]
        for more in ({"max_hops": 2}, {})
    )
    assert told == silent == f"\n\n{FOUND}" * 2


@pytest.mark.feature("EX-04")
def test_ex_04_each_module_asks_with_its_own_settings() -> None:
    engine = Echo(confidence=0.5)
    run(simplified_baleen(), engine, question="When?", max_hops=1)
    settings = [(it.config.temperature, it.config.max_tokens) for it in engine.requests]
    assert settings == [(0.7, 100), (0.7, 1000)]


@pytest.mark.feature("EX-06")
def test_ex_06_the_answer_comes_with_reasoning_and_confidence() -> None:
    fixed: dict[str, JsonValue] = {"answer": "1889", "reasoning": "It says so.", "confidence": 0.9}
    engine = Echo(query="the opened tower", **fixed)
    outputs, journal = run(simplified_baleen(), engine, question="When?", max_hops=1)
    assert {name: outputs[name] for name in fixed} == fixed
    assert FOUND in journal.prompts[-1]


def test_the_source_of_a_loop_is_what_a_person_would_write() -> None:
    assert source(simplified_baleen()) == BALEEN


def test_the_predictors_of_all_bodies_are_attributes_of_the_one_class() -> None:
    built = build(RunnableProgram("it@1", simplified_baleen(), None, corpora={TOWERS: TEXTS}))
    named = dict(built.named_predictors())
    assert {path: each._node_id for path, each in named.items()} == {
        "generate_query.predict": "generate_query",
        "generate_answer": "generate_answer",
    }
