"""Constants, joins, maps, branches and loops: what they give, and how many there may be."""

from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from domain.module.values import ModuleKind
from domain.program.conditions import Check, Comparison
from domain.program.graph import (
    Body,
    ModuleNode,
    Node,
    ProgramGraph,
    module_nodes,
    sources,
    walk,
)
from domain.program.order import order
from domain.program.rules import MAX_DEPTH, MAX_NODES, MAX_ROUNDS, check
from domain.program.wiring import outputs_of
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.syntax import parse
from domain.signature.types import (
    INTEGER,
    PRIMITIVES,
    STRING,
    FieldType,
    ListOf,
    OptionalOf,
)
from tests.support.graphs import (
    body,
    branch,
    const,
    each,
    graph,
    graph_faults,
    join,
    loop,
    module,
    program,
    qa_with_retrieval,
    simplified_baleen,
    step,
)
from tests.support.random_graphs import random_graphs

TRUE = Check(op="true", field="ok")


PASSED = body("x -> x", x="x")


def looped(signature: str, inner: Body, **given: Any) -> ProgramGraph:
    return graph(f"{signature} -> b", loop("l", inner, **{"at_most": 3, **given}), b="l.x")


@pytest.mark.feature("MOD-29")
@pytest.mark.feature("MOD-30")
@pytest.mark.parametrize("example", [qa_with_retrieval(), simplified_baleen()])
def test_mod_29_the_worked_examples_are_graphs_and_stay_what_they_are_as_json(
    example: ProgramGraph,
) -> None:
    back = ProgramGraph.model_validate_json(example.model_dump_json())
    assert back == example == check(back)


@pytest.mark.feature("PRG-23")
@settings(max_examples=300)
@given(random_graphs())
def test_prg_23_a_valid_graph_is_kept_and_comes_back_from_json_as_it_was(it: ProgramGraph) -> None:
    kept = check(it)
    assert check(kept) == kept
    assert ProgramGraph.model_validate_json(kept.model_dump_json()) == kept
    assert {node.id for node in order(kept)} == {node.id for node in kept.nodes}


def test_a_node_that_does_not_say_what_it_is_is_a_module() -> None:
    written = step("s", "a -> b", a="a").model_dump(mode="json", exclude={"kind"})
    read = ProgramGraph.model_validate(
        {"signature": parse("a -> b"), "nodes": [written], "outputs": {}}
    )
    assert isinstance(read.nodes[0], ModuleNode)


@pytest.mark.parametrize("kind", ["while", None, 3])
def test_a_node_of_an_unknown_kind_is_refused(kind: Any) -> None:
    with pytest.raises(ValidationError):
        ProgramGraph.model_validate(
            {"signature": parse("a -> b"), "nodes": [{"kind": kind}], "outputs": {}}
        )
    with pytest.raises(ValidationError):
        ProgramGraph.model_validate({"signature": parse("a -> b"), "nodes": [3], "outputs": {}})


NOTED = body("doc, tone -> note, score?: float", note="doc")
KEPT = body("ok: boolean, n: integer -> n: integer", n="n")


@pytest.mark.parametrize(
    ("node", "outputs"),
    [
        (step("s", "a -> b: integer", a="a"), {"b": INTEGER}),
        (const("c", 1, INTEGER), {"value": INTEGER}),
        (join("j", "a"), {"text": STRING}),
        (
            each("m", "doc", NOTED, doc="docs"),
            {"note": ListOf(item=STRING), "score": ListOf(item=OptionalOf(of=PRIMITIVES["float"]))},
        ),
        (branch("b", TRUE, KEPT, KEPT, ok="ok", n="n"), {"n": INTEGER}),
        (loop("l", KEPT, at_most=2, ok="ok", n="n"), {"n": INTEGER}),
    ],
)
def test_each_kind_of_node_gives_its_outputs(node: Node, outputs: dict[str, FieldType]) -> None:
    assert {name: field.type for name, field in outputs_of(node).items()} == outputs


def test_a_loop_gives_what_its_accumulator_may_be_also_without_a_round() -> None:
    counted = step("s", "n: integer -> n2: token_count", n="n")
    narrower = body("n: integer -> n: token_count", counted, n="s.n2")
    node = loop("l", narrower, at_most=1, n="n")
    assert outputs_of(node)["n"].type == INTEGER
    assert program("n: integer -> m: integer", node, m="l.n")


def test_nodes_in_bodies_are_walked_with_the_way_to_them() -> None:
    inner = each("m", "d", body("d -> n", step("s", "d -> n", d="d"), n="s.n"), d="ds")
    signature = "ds: list[string] -> ns: list[string]"
    then, otherwise = body(signature, inner, ns="m.n"), body(signature, ns="ds")
    outer = branch("b", TRUE, then, otherwise, ok="ok", ds="ds")
    it = program("ok: boolean, ds: list[string] -> ns: list[string]", outer, ns="b.ns")
    assert [(at, node.id, depth) for at, node, depth in walk(it)] == [
        ("/nodes/0", "b", 0),
        ("/nodes/0/then/nodes/0", "m", 1),
        ("/nodes/0/then/nodes/0/body/nodes/0", "s", 2),
    ]
    assert [(at, node.id) for at, node in module_nodes(it)] == [
        ("/nodes/0/then/nodes/0/body/nodes/0", "s")
    ]


def test_a_constant_takes_from_nothing_and_a_loop_also_its_number_of_rounds() -> None:
    assert sources(const("c", "x")) == ()
    node = loop("l", KEPT, at_most=2, times="n", ok="ok", n="k.value")
    assert [it.field for it in sources(node)] == ["ok", "value", "n"]


def test_an_input_and_an_output_of_a_body_may_share_a_name() -> None:
    same = FieldSpec(name="unused0")
    inner = Body(
        signature=SignatureSpec(inputs=(same,), outputs=(same,)),
        outputs={"unused0": {"field": "unused0"}},
    )
    it = graph("a, ok: boolean -> b", branch("r", TRUE, inner, inner, ok="ok", unused0="a"),
               b="r.unused0")  # fmt: skip
    assert check(it) == it


def test_constants_and_bodies_are_kept_in_their_one_spelling() -> None:
    twice = OptionalOf(of=OptionalOf(of=INTEGER))
    it = check(
        graph(
            "a: integer -> b: optional[integer]",
            const("c", "3", twice),
            branch(
                "r",
                Comparison(op="eq", field="a", value=1),
                _typed(twice),
                _typed(OptionalOf(of=INTEGER)),
                a="a",
                x="c.value",
            ),
            b="r.x",
        )
    )
    [kept, routed] = it.nodes
    assert kept == const("c", 3, OptionalOf(of=INTEGER))
    assert routed.kind == "branch"
    assert routed.then == routed.otherwise


def _typed(type: FieldType) -> Body:
    field = FieldSpec(name="x", type=type)
    spec = SignatureSpec(inputs=(field,), outputs=(field,))
    return Body(signature=spec, outputs={"x": {"field": "x"}})


@pytest.mark.parametrize(
    ("broken", "faults"),
    [
        (
            graph("a -> b: integer", const("c", "x", INTEGER), b="c.value"),
            [("/nodes/0/value", "default.invalid")],
        ),
        (
            graph("a -> b", branch("r", TRUE, body("a -> b", b="a").model_copy(
                update={"signature": SignatureSpec(inputs=(FieldSpec(name="class"),),
                                                   outputs=(FieldSpec(name="model_x"),))}),
                body("a -> b", const("c", [1], ListOf(item=STRING)), b="c.value")), b="r.b"),
            [
                ("/nodes/0/then/signature/inputs/0/name", "name.reserved"),
                ("/nodes/0/then/signature/outputs/0/name", "name.reserved"),
                ("/nodes/0/otherwise/nodes/0/value", "default.invalid"),
            ],
        ),
    ],
)  # fmt: skip
def test_what_breaks_the_rules_of_signatures_is_found_wherever_it_is(
    broken: ProgramGraph, faults: list[tuple[str, str]]
) -> None:
    assert graph_faults(broken) == faults


@pytest.mark.parametrize("at_most", [0, 101])
def test_a_loop_is_bounded(at_most: int) -> None:
    with pytest.raises(ValidationError):
        loop("l", PASSED, at_most=at_most)


def test_loops_in_loops_are_bounded_together() -> None:
    inner = loop("inner", PASSED, at_most=11, x="x")
    broken = looped("a", body("x -> x", inner, x="inner.x"), x="a", at_most=100)
    assert MAX_ROUNDS < 11 * 100
    assert graph_faults(broken) == [("/nodes/0/body/nodes/0/at_most", "loop.too_many_rounds")]


def test_ids_are_unique_and_free_in_all_bodies_together() -> None:
    def named(id: str) -> Body:
        return body("x -> x", join(id, "x", "x"), x=f"{id}.text")

    twins = branch("r", TRUE, named("r"), named("forward"), ok="ok", x="a")
    broken = graph("a, ok: boolean -> b", twins, b="r.x")
    assert graph_faults(broken) == [
        ("/nodes/0/then/nodes/0/id", "node.repeated"),
        ("/nodes/0/otherwise/nodes/0/id", "node.reserved"),
    ]


def test_modules_in_bodies_keep_to_their_rules() -> None:
    thinking = module("reasoning -> x", ModuleKind.CHAIN_OF_THOUGHT)
    inner = body("x -> x", step("s", thinking, reasoning="x"), x="s.x")
    assert ("/nodes/0/body/nodes/0/module/kind", "name.reserved") in graph_faults(
        looped("a", inner, x="a")
    )


def nested(depth: int) -> Body:
    if depth == 0:
        return PASSED
    return body("x -> x", loop(f"l{depth}", nested(depth - 1), at_most=1, x="x"), x=f"l{depth}.x")


def test_bodies_are_nested_so_far_and_no_further() -> None:
    def whole(depth: int) -> ProgramGraph:
        return ProgramGraph.model_validate(
            nested(depth).model_dump() | {"signature": parse("x -> y"), "outputs": {
                "y": {"node": f"l{depth}", "field": "x"}}}
        )  # fmt: skip

    assert check(whole(MAX_DEPTH))
    deepest = "/nodes/0" + "/body/nodes/0" * MAX_DEPTH
    assert graph_faults(whole(MAX_DEPTH + 1)) == [(deepest, "graph.too_deep")]


def test_nodes_are_counted_over_all_bodies() -> None:
    def chain(name: str, length: int) -> list[Node]:
        first: list[Node] = [join(f"{name}0", "x")]
        return first + [join(f"{name}{n}", f"{name}{n - 1}.text") for n in range(1, length)]

    def whole(length: int) -> ProgramGraph:
        inner = body("x -> x", *chain("a", length), x=f"a{length - 1}.text")
        return graph("x -> y", *chain("b", 50), loop("l", inner, at_most=1, x="b49.text"), y="l.x")

    assert check(whole(MAX_NODES - 51))
    assert graph_faults(whole(MAX_NODES - 50)) == [("/nodes", "graph.too_many_nodes")]
