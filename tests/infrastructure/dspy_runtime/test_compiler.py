"""A graph becomes a module that is as good as one written by hand."""

import gc
import inspect
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from weakref import ReferenceType, ref

import dspy
import pytest

from application.lm_ports import ProgramFailed, RunnableProgram
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind, ModuleSpec
from domain.program.graph import ModuleNode, ProgramGraph, Source
from domain.signature.fields import FieldSpec
from domain.signature.types import STRING, EnumOf, ListOf, OptionalOf, Primitive
from infrastructure.dspy_runtime import compiler
from infrastructure.dspy_runtime.compiler import ProgramCache, build, source
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.signatures import dspy_signature
from tests.support.dspy_programs import (
    ANSWER,
    FakeEngine,
    MemoryJournal,
    bound,
    single,
    spec,
    two_steps,
)
from tests.support.handwritten import CORPUS, as_data

TWO_STEPS = '''\
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.solve = dspy.ChainOfThought(solve_signature, temperature=0.7, max_tokens=1500)
        self.plan = dspy.Predict(plan_signature, temperature=0.0, max_tokens=1000)

    def forward(self, *, question):
        plan = self.plan(question=question)
        solve = self.solve(question=question, plan=plan.plan)
        return dspy.Prediction(answer=solve.answer)
'''  # fmt: skip


def node(name: str, *, given: dict[str, Source] | None = None) -> ModuleNode:
    module = ModuleSpec(
        kind=ModuleKind.PREDICT, signature=ANSWER, config=DEFAULTS[ModuleKind.PREDICT]
    )
    return ModuleNode(
        id=name, module=module, inputs=given or {"question": Source(field="question")}
    )


def graph(*nodes: ModuleNode, result: str | None = None) -> ProgramGraph:
    outputs = {"answer": Source(node=result or nodes[-1].id, field="answer")}
    return ProgramGraph(signature=ANSWER, nodes=nodes, outputs=outputs)


def test_the_source_is_readable_and_calls_each_node_when_its_inputs_are_there() -> None:
    assert source(two_steps().graph) == TWO_STEPS


def test_the_class_shows_its_source_to_whoever_asks() -> None:
    built = build(two_steps())
    assert inspect.getsource(type(built)) == TWO_STEPS


def test_an_optimizer_reads_the_program_as_it_reads_a_handwritten_one() -> None:
    from dspy.propose.utils import get_dspy_source_code

    assert TWO_STEPS.strip() in get_dspy_source_code(build(two_steps()))


def test_predictors_are_named_after_their_nodes_and_know_them() -> None:
    built = build(two_steps())
    named = dict(built.named_predictors())
    assert set(named) == {"plan", "solve.predict"}
    copied = dict(built.reset_copy().deepcopy().named_predictors())
    assert {path: each._node_id for path, each in copied.items()} == {
        "plan": "plan",
        "solve.predict": "solve",
    }


def test_the_same_graph_is_compiled_into_the_same_module_name() -> None:
    first, second = build(two_steps()), build(two_steps(key="other@9"))
    assert type(first).__module__ == type(second).__module__
    assert type(first).__module__ in sys.modules
    other = build(single(spec("question", {"answer": Primitive(name="integer")})))
    assert type(other).__module__ != type(build(single())).__module__


@pytest.mark.parametrize("name", ["forward", "class", "history", "dspy", "question", "predictors"])
def test_a_node_may_have_any_name_that_the_domain_allows(name: str) -> None:
    program = RunnableProgram("named@1", graph(node(name)), None)
    journal = MemoryJournal()
    outputs = DspyRunner(bound(FakeEngine())).run(program, {"question": "?"}, journal, live=True)
    assert set(outputs) == {"answer"}
    assert journal.calls[0].node == name


def test_names_that_were_changed_for_python_do_not_meet() -> None:
    both = graph(node("class_"), node("class"), node("class__"))
    attributes = [path for path, _ in build(RunnableProgram("n@1", both, None)).named_predictors()]
    assert len(set(attributes)) == 3


def test_a_cycle_is_refused_by_name() -> None:
    first = node("first", given={"question": Source(node="second", field="answer")})
    second = node("second", given={"question": Source(node="first", field="answer")})
    with pytest.raises(ProgramFailed) as failed:
        source(graph(first, second))
    assert failed.value.failure.code == "program.unbuildable"
    for name in ("first", "second"):
        assert f"Node {name} is in a circle" in failed.value.failure.message


@pytest.mark.parametrize("name", ["x): import os #", "self", "lambda", "a b", "é", "1a"])
def test_no_field_name_becomes_code(name: str) -> None:
    with pytest.raises(ProgramFailed) as failed:
        source(single(spec((FieldSpec(name=name),), {"answer": STRING})).graph)
    assert failed.value.failure.code == "program.unbuildable"


@pytest.mark.feature("MOD-17")
def test_mod_17_chain_of_thought_reasons_before_it_answers() -> None:
    built = build(single(kind=ModuleKind.CHAIN_OF_THOUGHT))
    assert list(built.solve.predict.signature.output_fields) == ["reasoning", "answer"]


@pytest.mark.feature("MOD-17")
def test_mod_17_a_signature_with_its_own_reasoning_gets_no_second_one() -> None:
    signature = spec("question", {"answer": STRING, "reasoning": STRING})
    built = build(single(signature, kind=ModuleKind.CHAIN_OF_THOUGHT))
    assert list(built.solve.signature.output_fields) == ["reasoning", "answer"]
    outputs = DspyRunner(bound(FakeEngine())).run(
        single(signature, kind=ModuleKind.CHAIN_OF_THOUGHT, key="own@1"),
        {"question": "?"},
        MemoryJournal(),
        live=True,
    )
    assert set(outputs) == {"answer", "reasoning"}


def test_settings_of_a_module_reach_its_predictor() -> None:
    config = ModuleConfig(temperature=0.3, max_tokens=77)
    assert build(single(config=config)).solve.config == {"temperature": 0.3, "max_tokens": 77}


def test_a_signature_is_built_from_data_with_its_descriptions_and_bounds() -> None:
    signature = dspy_signature(
        spec(
            (
                FieldSpec(name="text", description="What was said"),
                FieldSpec(name="tone", optional=True),
            ),
            {
                "tags": ListOf(item=STRING),
                "mood": EnumOf(values=("good", "it's bad")),
                "sure": Primitive(name="confidence_score"),
                "note": OptionalOf(of=STRING),
            },
            "Judge the text.",
        ),
        "Judge",
    )
    assert signature.__name__ == "Judge"
    assert signature.instructions == "Judge the text."
    assert signature.fields["text"].json_schema_extra["desc"] == "What was said"
    assert signature.fields["tone"].default is None
    assert signature.output_fields["sure"].annotation is float
    assert "less than or equal to: 1" in signature.fields["sure"].json_schema_extra["constraints"]
    assert issubclass(signature, dspy.Signature)


def test_a_description_that_reads_like_code_stays_text() -> None:
    field = FieldSpec(name="text", description='"""\nimport this\n"""')
    built = build(single(spec((field,), {"answer": STRING}, 'x"""; import antigravity')))
    assert built.solve.signature.instructions == 'x"""; import antigravity'
    assert "antigravity" not in sys.modules


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    cache = ProgramCache(size=2)
    for key in ("a@1", "b@1", "a@1", "c@1"):
        cache.get(single(key=key))
    assert list(cache._built) == ["a@1", "c@1"]


def test_a_program_that_is_there_waits_for_none_that_is_being_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = ProgramCache()
    cache.get(single(key="there@1"))
    begun, go_on = threading.Event(), threading.Event()

    def slow(program: RunnableProgram) -> dspy.Module:
        begun.set()
        assert go_on.wait(10)
        return build(program)

    monkeypatch.setattr(compiler, "build", slow)
    with ThreadPoolExecutor(3) as pool:
        large = [pool.submit(cache.get, single(key="large@1")) for _ in range(2)]
        assert begun.wait(10)
        there = pool.submit(cache.get, single(key="there@1")).result(10)
        go_on.set()
        assert large[0].result(10) is large[1].result(10)
    assert isinstance(there, dspy.Module)


def test_a_program_that_was_forgotten_takes_its_corpora_with_it() -> None:
    class Texts(list[str]):
        """A list that can be watched."""

    cache, watched = ProgramCache(size=1), list[ReferenceType[Texts]]()
    for k in (1, 2):
        texts = Texts(["A tower.", "A bridge."])
        watched.append(ref(texts))
        cache.get(replace(as_data("retrieve", k=k), key=f"it@{k}", corpora={CORPUS: texts}))
        del texts
    gc.collect()
    assert [each() is None for each in watched] == [True, False]
