"""A graph of modules: in order, or refused with every fault named."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.program.errors import InvalidGraph
from domain.program.graph import ModuleNode, ProgramGraph, Source, module_nodes, single
from domain.program.order import order
from domain.program.rules import RESERVED_NODE_IDS, check
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.syntax import parse
from domain.signature.types import STRING, OptionalOf


def module(text: str, kind: ModuleKind = ModuleKind.PREDICT) -> ModuleSpec:
    return ModuleSpec(kind=kind, signature=parse(text), config=DEFAULTS[kind])


def source(written: str) -> Source:
    """``node.field``, or ``field`` for an input of the program."""
    node, _, field = written.rpartition(".")
    return Source(node=node or None, field=field)


def node(id: str, text: str, **inputs: str) -> ModuleNode:
    bound = {name: source(written) for name, written in inputs.items()}
    return ModuleNode(id=id, module=module(text), inputs=bound)


def graph(text: str, *nodes: ModuleNode, **outputs: str) -> ProgramGraph:
    bound = {name: source(written) for name, written in outputs.items()}
    return ProgramGraph(signature=parse(text), nodes=nodes, outputs=bound)


SEARCH = node("search", "query -> passages: list[string]", query="question")
ANSWER = node(
    "answer",
    "question, passages: list[string] -> answer",
    question="question",
    passages="search.passages",
)
RAG = graph("question -> answer", ANSWER, SEARCH, answer="answer.answer")


def faults_of(broken: ProgramGraph) -> list[tuple[str, str]]:
    with pytest.raises(InvalidGraph) as refused:
        check(broken)
    assert refused.value.code == "graph.invalid"
    assert str(refused.value) == f"This graph cannot run: {refused.value.faults[0].message}"
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def rag(**changes: Any) -> ProgramGraph:
    return RAG.model_copy(update=changes)


def test_a_sound_graph_is_kept() -> None:
    assert check(RAG) == RAG


def test_the_order_is_by_need_and_then_as_written() -> None:
    first, second = node("b", "x -> y", x="question"), node("a", "x -> y", x="question")
    assert [it.id for it in order(rag(nodes=(ANSWER, first, SEARCH, second)))] == [
        "b", "search", "answer", "a",
    ]  # fmt: skip


@pytest.mark.feature("PRG-05")
@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        (ModuleKind.PREDICT, ["answer"]),
        (ModuleKind.CHAIN_OF_THOUGHT, ["reasoning", "answer"]),
    ],
)
def test_prg_05_one_module_is_a_program(kind: ModuleKind, outputs: list[str]) -> None:
    program = single(module("question, tone? -> answer", kind))
    assert check(program) == program
    [node] = program.nodes
    assert isinstance(node, ModuleNode)
    assert node.id == kind.value
    assert [field.name for field in program.signature.outputs] == outputs
    assert list(program.outputs) == outputs
    assert node.inputs == {"question": source("question"), "tone": source("tone")}


def test_the_node_of_one_module_can_be_named() -> None:
    assert single(module("a -> b"), node_id="classify").outputs == {"b": source("classify.b")}


@pytest.mark.parametrize(
    ("broken", "faults"),
    [
        (
            rag(nodes=(ANSWER.model_copy(update={"inputs": {}}), SEARCH)),
            [
                ("/nodes/0/inputs", "graph.unbound"),
                ("/nodes/0/inputs", "graph.unbound"),
                ("/nodes/1", "graph.unreachable"),
            ],
        ),
        (
            rag(outputs={}),
            [
                ("/outputs", "graph.unbound"),
                ("/nodes/0", "graph.unreachable"),
                ("/nodes/1", "graph.unreachable"),
            ],
        ),
        (
            rag(outputs={"answer": source("answer.answer"), "x/y": source("answer.answer")}),
            [("/outputs/x~1y", "graph.unknown_field")],
        ),
        (
            rag(outputs={"answer": source("answer.answr")}),
            [("/outputs/answer/field", "graph.unknown_field")],
        ),
        (
            rag(nodes=(node("answer", "q -> answer", q="quest"),)),
            [("/nodes/0/inputs/q/field", "graph.unknown_field")],
        ),
        (
            rag(nodes=(node("answer", "q -> answer", q="lookup.q"),)),
            [("/nodes/0/inputs/q/node", "graph.unknown_node")],
        ),
        (
            rag(nodes=(node("answer", "q -> answer", q="question", r="question"),)),
            [("/nodes/0/inputs/r", "graph.unknown_field")],
        ),
        (
            rag(nodes=(node("answer", "q: integer -> answer", q="question"),)),
            [("/nodes/0/inputs/q", "graph.type_mismatch")],
        ),
        (
            rag(nodes=(node("answer", "q -> answer: integer", q="question"),)),
            [("/outputs/answer", "graph.type_mismatch")],
        ),
        (rag(nodes=(ANSWER, SEARCH, SEARCH)), [("/nodes/2/id", "node.repeated")]),
        (
            rag(nodes=(ANSWER, SEARCH, node("idle", "q -> a", q="question"))),
            [("/nodes/2", "graph.unreachable")],
        ),
        (
            rag(nodes=(node("answer", "q -> answer", q="answer.answer"),)),
            [("/nodes/0", "graph.cycle")],
        ),
        (
            rag(
                nodes=(
                    node("answer", "q -> answer", q="b.x"),
                    node("b", "q -> x", q="c.x"),
                    node("c", "q -> x", q="b.x"),
                )
            ),
            [("/nodes/1", "graph.cycle"), ("/nodes/2", "graph.cycle")],
        ),
        (
            rag(
                nodes=(
                    ANSWER.model_copy(
                        update={"module": module("reasoning -> x", ModuleKind.CHAIN_OF_THOUGHT)}
                    ),
                ),
            ),
            [
                ("/nodes/0/module/kind", "name.reserved"),
                ("/nodes/0/inputs", "graph.unbound"),
                ("/nodes/0/inputs/question", "graph.unknown_field"),
                ("/nodes/0/inputs/passages", "graph.unknown_field"),
                ("/outputs/answer/field", "graph.unknown_field"),
            ],
        ),
    ],
)
def test_every_fault_of_a_graph_is_named(
    broken: ProgramGraph, faults: list[tuple[str, str]]
) -> None:
    assert faults_of(broken) == faults


@pytest.mark.parametrize("id", ["class", *sorted(RESERVED_NODE_IDS)])
def test_a_reserved_node_id_is_refused(id: str) -> None:
    assert faults_of(single(module("a -> b"), node_id=id)) == [("/nodes/0/id", "node.reserved")]


@pytest.mark.parametrize("id", ["", "A", "1a", "a-b", "a" * 64, "é", "a\n"])
def test_a_node_id_is_a_short_lower_case_word(id: str) -> None:
    with pytest.raises(ValidationError):
        node(id, "a -> b", a="a")


def test_signatures_in_a_graph_keep_to_their_rules() -> None:
    bad = SignatureSpec(inputs=(FieldSpec(name="class"),), outputs=(FieldSpec(name="answer"),))
    spec = SEARCH.module.model_copy(update={"signature": bad})
    broken = rag(signature=bad, nodes=(ANSWER, SEARCH.model_copy(update={"module": spec})))
    assert faults_of(broken) == [
        ("/signature/inputs/0/name", "name.reserved"),
        ("/nodes/1/module/signature/inputs/0/name", "name.reserved"),
    ]


def test_signatures_in_a_graph_are_kept_in_their_one_spelling() -> None:
    twice = OptionalOf(of=OptionalOf(of=STRING))
    written = SignatureSpec(
        inputs=(FieldSpec(name="a"),), outputs=(FieldSpec(name="b", type=twice),)
    )
    spec = module("a -> b").model_copy(update={"signature": written})
    kept = parse("a -> b: optional[string]")
    spelled = check(single(spec))
    [(_, only)] = module_nodes(spelled)
    assert (spelled.signature, only.module.signature) == (kept, kept)


def test_an_optional_input_needs_no_source() -> None:
    lenient = rag(nodes=(node("answer", "q?, r: int = 1 -> answer"),))
    assert check(lenient) == lenient


def test_a_circle_has_no_order() -> None:
    circle = rag(nodes=(node("a", "q -> x", q="b.x"), node("b", "q -> x", q="a.x"), SEARCH))
    with pytest.raises(InvalidGraph) as refused:
        order(circle)
    assert [fault.pointer for fault in refused.value.faults] == ["/nodes/0", "/nodes/1"]
