"""Conditions ask of fields what their types can answer."""

from typing import Any

import pytest
from pydantic import JsonValue, ValidationError

from domain.program.conditions import AllOf, AnyOf, Check, Comparison, Condition, Not
from domain.program.errors import InvalidGraph
from domain.program.graph import (
    Body,
    ProgramGraph,
)
from domain.program.rules import check
from domain.signature.syntax import parse
from tests.support.graphs import (
    body,
    branch,
    graph,
)

TRUE = Check(op="true", field="ok")


PASSED = body("x -> x", x="x")


def routed(
    signature: str, condition: Condition, then: Body, otherwise: Body, **inputs: str
) -> ProgramGraph:
    return graph(f"{signature} -> b", branch("r", condition, then, otherwise, **inputs), b="r.x")


FIELDS = (
    "n: integer, p: probability, text, words: list[string], mood: enum['good', 'bad'], ok: boolean,"
    " map: map, any: any, maybe?: integer, parts: reasoning_chain"
)


def asked(condition: Condition) -> list[tuple[str, str]]:
    names = [field.name for field in parse(f"{FIELDS} -> x").inputs]
    used = {name: name for name in names if f"field='{name}'" in repr(condition)}
    it = routed(f"a, {FIELDS}", condition, PASSED, PASSED, **used, x="a")
    try:
        check(it)
    except InvalidGraph as refused:
        return [(fault.pointer, fault.code) for fault in refused.faults]
    return []


def compared(op: Any, field: str, value: JsonValue) -> Comparison:
    return Comparison(op=op, field=field, value=value)


@pytest.mark.parametrize(
    "condition",
    [
        compared("eq", "n", 3),
        compared("ne", "mood", "good"),
        compared("eq", "any", {"a": [None]}),
        compared("eq", "maybe", None),
        compared("lt", "p", 0.5),
        compared("ge", "text", "m"),
        compared("in", "mood", ["good"]),
        compared("contains", "text", "x"),
        compared("contains", "mood", "oo"),
        compared("contains", "words", "x"),
        compared("contains", "parts", "x"),
        Check(op="empty", field="text"),
        Check(op="empty", field="words"),
        Check(op="empty", field="map"),
        Check(op="empty", field="maybe"),
        Check(op="empty", field="any"),
        TRUE,
        AllOf(op="all", of=(TRUE, AnyOf(op="any", of=(Not(op="not", of=TRUE),)))),
    ],
)
def test_a_condition_asks_what_its_fields_can_answer(condition: Condition) -> None:
    assert asked(condition) == []


def deep(levels: int) -> Condition:
    return TRUE if levels == 1 else Not(op="not", of=deep(levels - 1))


@pytest.mark.parametrize(
    ("condition", "faults"),
    [
        (compared("eq", "n", "3"), [("/value", "condition.value")]),
        (compared("eq", "mood", "so-so"), [("/value", "condition.value")]),
        (compared("eq", "text", "\ud800"), [("/value", "text.unsafe")]),
        (compared("lt", "ok", True), [("/op", "condition.type")]),
        (compared("lt", "maybe", 3), [("/op", "condition.type")]),
        (compared("lt", "words", []), [("/op", "condition.type")]),
        (compared("gt", "n", "many"), [("/value", "condition.value")]),
        (compared("in", "n", 3), [("/value", "condition.value")]),
        (compared("in", "n", []), [("/value", "condition.value")]),
        (compared("in", "n", [1, "2"]), [("/value/1", "condition.value")]),
        (compared("contains", "n", 1), [("/op", "condition.type")]),
        (compared("contains", "maybe", 1), [("/op", "condition.type")]),
        (compared("contains", "map", "a"), [("/op", "condition.type")]),
        (compared("contains", "words", 1), [("/value", "condition.value")]),
        (Check(op="empty", field="n"), [("/op", "condition.type")]),
        (Check(op="true", field="maybe"), [("/op", "condition.type")]),
        (
            AllOf(op="all", of=(TRUE, Not(op="not", of=Check(op="true", field="text")))),
            [("/of/1/of/op", "condition.type")],
        ),
        (deep(11), [("/of" * 10, "condition.too_deep")]),
    ],
)
def test_a_condition_that_no_value_can_answer_is_refused(
    condition: Condition, faults: list[tuple[str, str]]
) -> None:
    assert asked(condition) == [(f"/nodes/0/condition{at}", code) for at, code in faults]


@pytest.mark.parametrize("op", ["all", "any"])
def test_a_condition_of_nothing_is_refused(op: Any) -> None:
    with pytest.raises(ValidationError):
        (AllOf if op == "all" else AnyOf)(op=op, of=())
