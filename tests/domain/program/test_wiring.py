"""What joins, maps, branches and loops take: every fault of it is named."""

from typing import Any

import pytest

from domain.program.conditions import Check, Condition
from domain.program.graph import (
    Body,
    ProgramGraph,
)
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import (
    STRING,
    ListOf,
    UnionOf,
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
    program,
    step,
)

TRUE = Check(op="true", field="ok")


def joined(signature: str, *items: str) -> ProgramGraph:
    return graph(signature, join("j", *items), b="j.text")


PASSED = body("x -> x", x="x")
A_OR_LIST = FieldSpec(name="a", type=UnionOf(options=(STRING, ListOf(item=STRING))))


@pytest.mark.parametrize(
    ("broken", "faults"),
    [
        (joined("a: integer -> b", "a"), [("/nodes/0/items/0", "graph.type_mismatch")]),
        (joined("a, c? -> b", "a", "c"), [("/nodes/0/items/1", "graph.type_mismatch")]),
        (joined("a: any -> b", "a"), [("/nodes/0/items/0", "graph.type_mismatch")]),
        (joined("a: array -> b", "a"), [("/nodes/0/items/0", "graph.type_mismatch")]),
        (joined("a: list[list[string]] -> b", "a"), [("/nodes/0/items/0", "graph.type_mismatch")]),
        (joined("a -> b", "c"), [("/nodes/0/items/0/field", "graph.unknown_field")]),
        (joined("a -> b", "k.c"), [("/nodes/0/items/0/node", "graph.unknown_node")]),
        (
            graph(SignatureSpec(inputs=(A_OR_LIST,), outputs=(FieldSpec(name="b"),)),
                  join("j", "a"), b="j.text"),
            [("/nodes/0/items/0", "graph.type_mismatch")],
        ),
    ],
)  # fmt: skip
def test_a_join_takes_texts_and_lists_of_texts(
    broken: ProgramGraph, faults: list[tuple[str, str]]
) -> None:
    assert graph_faults(broken) == faults


def mapped(
    signature: str, over: str = "doc", inner: str = "doc -> note", **inputs: Any
) -> ProgramGraph:
    it = each("m", over, body(inner, step("s", "doc -> note", doc="doc"), note="s.note"), **inputs)
    return graph(f"{signature} -> notes: list[string]", it, notes="m.note")


@pytest.mark.parametrize(
    ("broken", "faults"),
    [
        (mapped("a", doc="a"), [("/nodes/0/inputs/doc", "graph.type_mismatch")]),
        (mapped("a: any", doc="a"), [("/nodes/0/inputs/doc", "graph.type_mismatch")]),
        (mapped("a?: list[string]", doc="a"), [("/nodes/0/inputs/doc", "graph.type_mismatch")]),
        (mapped("a: list[integer]", doc="a"), [("/nodes/0/inputs/doc", "graph.type_mismatch")]),
        (mapped("a"), [("/nodes/0/inputs", "graph.unbound")]),
        (mapped("a", doc="b"), [("/nodes/0/inputs/doc/field", "graph.unknown_field")]),
        (
            mapped("a", "dog", doc="a"),
            [("/nodes/0/over", "graph.unknown_field")],
        ),
        (
            mapped("a: list[string]", doc="a", tone="a"),
            [("/nodes/0/inputs/tone", "graph.unknown_field")],
        ),
        (
            mapped("a: list[string]", inner="doc, tone -> note", doc="a"),
            [("/nodes/0/inputs", "graph.unbound")],
        ),
        (
            mapped("a: list[string]", inner="dog -> note", over="dog", dog="a"),
            [("/nodes/0/body/nodes/0/inputs/doc/field", "graph.unknown_field")],
        ),
    ],
)
def test_a_map_goes_over_a_list_of_what_its_body_takes(
    broken: ProgramGraph, faults: list[tuple[str, str]]
) -> None:
    assert graph_faults(broken) == faults


def test_a_map_goes_over_lists_of_anything_where_a_module_reads_the_items() -> None:
    inner = body("doc: any -> note", step("s", "doc: any -> note", doc="doc"), note="s.note")
    it = each("m", "doc", inner, doc="docs")
    assert program("docs: array -> notes: list[string]", it, notes="m.note")


def routed(
    signature: str, condition: Condition, then: Body, otherwise: Body, **inputs: str
) -> ProgramGraph:
    return graph(f"{signature} -> b", branch("r", condition, then, otherwise, **inputs), b="r.x")


@pytest.mark.parametrize(
    ("broken", "faults"),
    [
        (
            routed("a, ok: boolean", TRUE, PASSED, PASSED, ok="ok"),
            [("/nodes/0/inputs", "graph.unbound"), ("/nodes/0/inputs", "graph.unbound")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED, body("y -> x", x="y"), ok="ok", x="a"),
            [("/nodes/0/inputs", "graph.unbound")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED, PASSED, ok="ok", x="a", y="a"),
            [("/nodes/0/inputs/y", "graph.unknown_field")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED, PASSED, ok="okay", x="a"),
            [("/nodes/0/inputs/ok/field", "graph.unknown_field")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED, PASSED, x="a"),
            [("/nodes/0/condition/field", "graph.unknown_field")],
        ),
        (
            routed("a: integer, ok: boolean", TRUE, PASSED, PASSED, ok="ok", x="a"),
            [("/nodes/0/inputs/x", "graph.type_mismatch")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED, body("x: integer -> x", const("c", "x"),
                                                        x="c.value"), ok="ok", x="a"),
            [("/nodes/0/inputs/x", "graph.type_mismatch")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED,
                   body("x -> x: enum['p', 'q']", step("s", "x -> y: enum['p', 'q']", x="x"),
                        x="s.y"), ok="ok", x="a"),
            [("/nodes/0/otherwise/signature/outputs", "branch.outputs")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED, body("x -> x", x="s.y"), ok="ok", x="a"),
            [("/nodes/0/otherwise/outputs/x/node", "graph.unknown_node")],
        ),
        (
            routed("a, ok: boolean", TRUE, PASSED, body("x -> x", step("s", "x -> y", x="x"),
                                                        x="x"), ok="ok", x="a"),
            [("/nodes/0/otherwise/nodes/0", "graph.unreachable")],
        ),
    ],
)  # fmt: skip
def test_a_branch_has_two_bodies_that_take_what_it_has_and_give_the_same(
    broken: ProgramGraph, faults: list[tuple[str, str]]
) -> None:
    assert graph_faults(broken) == faults


def looped(signature: str, inner: Body, **given: Any) -> ProgramGraph:
    return graph(f"{signature} -> b", loop("l", inner, **{"at_most": 3, **given}), b="l.x")


@pytest.mark.parametrize(
    ("broken", "faults"),
    [
        (looped("a", PASSED), [("/nodes/0/inputs", "graph.unbound")]),
        (
            looped("a", body("y -> x", x="y"), y="a"),
            [("/nodes/0/body/signature/outputs/0", "loop.no_accumulator")],
        ),
        (
            looped("a", body("x -> x?", x="x"), x="a"),
            [("/nodes/0/body/signature/outputs/0", "graph.type_mismatch")],
        ),
        (looped("a", PASSED, x="a", times="a"), [("/nodes/0/times", "graph.type_mismatch")]),
        (
            looped("a, n: any", PASSED, x="a", times="n"),
            [("/nodes/0/times", "graph.type_mismatch")],
        ),
        (looped("a", PASSED, x="a", times="n"), [("/nodes/0/times/field", "graph.unknown_field")]),
        (
            looped("a", PASSED, x="a", until=Check(op="empty", field="y")),
            [("/nodes/0/until/field", "graph.unknown_field")],
        ),
        (
            looped("a", PASSED, x="a", until=Check(op="true", field="x")),
            [("/nodes/0/until/op", "condition.type")],
        ),
        (
            looped("a", body("x -> x", loop("inner", PASSED, at_most=1, x="inner.x"),
                             x="inner.x"), x="a"),
            [("/nodes/0/body/nodes/0", "graph.cycle")],
        ),
    ],
)  # fmt: skip
def test_a_loop_carries_what_its_body_gives_into_the_next_round(
    broken: ProgramGraph, faults: list[tuple[str, str]]
) -> None:
    assert graph_faults(broken) == faults


@pytest.mark.parametrize("times", ["n", "m"])
def test_the_number_of_rounds_may_be_left_out_where_it_comes_from(times: str) -> None:
    signature = "a, n: integer, m: integer = 2 -> b"
    assert program(signature, loop("l", PASSED, at_most=3, times=times, x="a"), b="l.x")
