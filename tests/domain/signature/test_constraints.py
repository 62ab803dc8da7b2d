"""Constraints on values: which go together, which say nothing, and what they refuse."""

from typing import Any

import pytest

from domain.signature.constraints import Constraints, both, implies
from domain.signature.errors import InvalidSignature, SignatureSyntaxError, ValuesDoNotFit
from domain.signature.hashing import content_hash
from domain.signature.syntax import parse, render
from domain.signature.types import INTEGER, ConstrainedOf, OptionalOf, normal
from domain.signature.validation import validate_inputs, validate_outputs


@pytest.mark.feature("SIG-02")
def test_sig_02_what_was_not_said_is_not_written() -> None:
    constraints = Constraints(ge=0, pattern="a")
    assert constraints.model_dump() == {"ge": 0, "pattern": "a"}
    assert repr(constraints) == "Constraints(ge=0, pattern='a')"
    assert Constraints.model_validate_json(constraints.model_dump_json()) == constraints


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("integer(ge=1.0)", "integer(ge=1)"),
        ("float(ge=2.0, lt=3.5)", "float(lt=3.5, ge=2)"),
        ("optional[integer](ge=1)", "optional[integer(ge=1)]"),
        ("{:array, :string}(max_items=2)", "list[string](max_items=2)"),
    ],
)
def test_one_constraint_has_one_spelling(written: str, same: str) -> None:
    one, other = (parse(f"a: {text} -> b") for text in (written, same))
    assert render(one) == render(other)
    assert content_hash(one) == content_hash(other)


def test_no_constraint_at_all_is_no_type_of_its_own() -> None:
    bare = ConstrainedOf(of=OptionalOf(of=INTEGER), constraints=Constraints())
    assert normal(bare) == OptionalOf(of=INTEGER)


@pytest.mark.parametrize("way", ["in", "out"])
@pytest.mark.parametrize(
    ("type", "fits", "refused"),
    [
        ("integer(ge=1, le=5)", [1, 5, "3"], [0, 6, "9"]),
        ("integer(gt=1, lt=5)", [2, 4], [1, 5]),
        ("integer(multiple_of=5)", [0, 10, -5], [3]),
        ("float(gt=0)", [0.1], [0, -1.5]),
        ("probability(ge=0.5)", [0.5, 1], [0.4, 1.1]),
        ("token_count(le=9)", [0, 9], [-1, 10]),
        ("string(min_length=2, max_length=3)", ["ab", "äöü"], ["a", "abcd", ""]),
        ("string(pattern='^[a-z]+$')", ["abc"], ["Abc", "", "a1"]),
        ("string(pattern='b')", ["abc"], ["ac"]),
        ("list[integer](min_items=1, max_items=2)", [[1], [1, 2]], [[], [1, 2, 3]]),
        ("list[string(max_length=1)]", [["a"], []], [["ab"]]),
        ("map(min_items=1)", [{"a": 1}], [{}]),
        ("dict[string, integer](max_items=1)", [{"a": 1}], [{"a": 1, "b": 2}]),
        ("array(max_items=1)", [[1]], [[1, 2]]),
        ("reasoning_chain(min_items=2)", ["1. a\n2. b", ["a", "b"]], ["a", []]),
        ("embedding(min_items=2)", [[1, 2]], [[1]]),
        ("optional[integer(ge=1)]", [None, 1], [0]),
        ("union[integer(ge=1), string(max_length=1)]", [1, "a"], [0, "ab"]),
        ("object{n: integer(ge=1)}", [{"n": 1}], [{"n": 0}]),
    ],
)
def test_bounds_hold_for_inputs_and_outputs(
    type: str, fits: list[Any], refused: list[Any], way: str
) -> None:
    text, validate = {
        "in": (f"x: {type} -> y", validate_inputs),
        "out": (f"y -> x: {type}", validate_outputs),
    }[way]
    for strict in (False, True):
        for value in refused:
            with pytest.raises(ValuesDoNotFit) as error:
                validate(parse(text), {"x": value}, strict=strict)
            assert error.value.faults[0].pointer.startswith("/x")
    for value in fits:
        assert "x" in validate(parse(text), {"x": value})


@pytest.mark.parametrize(
    ("type", "code", "pointer"),
    [
        ("string(ge=1)", "constraint.unfit", "/ge"),
        ("boolean(ge=1)", "constraint.unfit", "/ge"),
        ("float(multiple_of=2)", "constraint.unfit", "/multiple_of"),
        ("integer(min_length=1)", "constraint.unfit", "/min_length"),
        ("list[string](min_length=1)", "constraint.unfit", "/min_length"),
        ("object{a}(min_items=1)", "constraint.unfit", "/min_items"),
        ("image(max_length=1)", "constraint.unfit", "/max_length"),
        ("code(max_length=1)", "constraint.unfit", "/max_length"),
        ("integer(ge=0.5)", "constraint.whole", "/ge"),
        ("integer(ge=2, le=1)", "constraint.impossible", ""),
        ("integer(gt=1, lt=1)", "constraint.impossible", ""),
        ("float(ge=1, lt=1)", "constraint.impossible", ""),
        ("probability(gt=1)", "constraint.impossible", ""),
        ("string(min_length=2, max_length=1)", "constraint.impossible", ""),
        ("array(min_items=2, max_items=1)", "constraint.impossible", ""),
        ("float(ge=1e300)", "constraint.impossible", ""),
        ("string(pattern='(?=a)b')", "constraint.impossible", ""),
        (r"string(pattern='(a)\\1')", "constraint.impossible", ""),
        ("string(pattern='(')", "constraint.impossible", ""),
        (f"string(pattern='{'a' * 1001}')", "constraint.impossible", ""),
        ("string(pattern='(\\\\w{1000}){1000}')", "constraint.impossible", ""),
    ],
)
def test_constraints_that_do_not_hold_are_refused(type: str, code: str, pointer: str) -> None:
    with pytest.raises(InvalidSignature) as refused:
        parse(f"a: {type} -> b")
    found = [(fault.pointer, fault.code) for fault in refused.value.faults]
    assert found == [(f"/inputs/0/type/constraints{pointer}", code)]


def test_every_fault_of_constraints_is_named_at_once() -> None:
    with pytest.raises(InvalidSignature) as refused:
        parse("a: string(ge=1, lt=0) -> b")
    assert [fault.code for fault in refused.value.faults] == [
        "constraint.unfit",
        "constraint.unfit",
        "constraint.impossible",
    ]


def test_a_hostile_pattern_is_answered() -> None:
    """Backtracking would take longer than anybody waits."""
    spec = parse("a: string(pattern='^(a+)+$') -> b")
    with pytest.raises(ValuesDoNotFit):
        validate_inputs(spec, {"a": "a" * 50_000 + "b"})


@pytest.mark.parametrize(
    ("given", "wanted", "held"),
    [
        ({}, {}, True),
        ({}, {"ge": 0}, False),
        ({"ge": 1}, {"ge": 0}, True),
        ({"ge": 0}, {"gt": 0}, False),
        ({"gt": 0}, {"gt": 0}, True),
        ({"gt": 0}, {"ge": 0}, True),
        ({"gt": 1}, {"gt": 0}, True),
        ({"le": 1}, {"le": 2}, True),
        ({"le": 1}, {"lt": 1}, False),
        ({"lt": 1}, {"lt": 1}, True),
        ({"le": 0}, {"lt": 1}, True),
        ({"multiple_of": 6}, {"multiple_of": 3}, True),
        ({"multiple_of": 3}, {"multiple_of": 6}, False),
        ({}, {"multiple_of": 6}, False),
        ({"min_length": 2}, {"min_length": 1}, True),
        ({}, {"min_items": 0}, True),
        ({"max_items": 3}, {"max_items": 2}, False),
        ({"max_length": 1}, {"max_length": 2}, True),
        ({"pattern": "a"}, {"pattern": "a"}, True),
        ({"pattern": "a"}, {"pattern": "b"}, False),
    ],
)
def test_one_constraint_implies_another(
    given: dict[str, Any], wanted: dict[str, Any], held: bool
) -> None:
    assert implies(Constraints(**given), Constraints(**wanted)) is held


def test_both_keep_the_narrower_bound() -> None:
    one = Constraints(ge=0, le=5, min_length=1, pattern="a")
    other = Constraints(ge=1, le=9, max_length=3, pattern="b")
    assert both(one, other) == Constraints(ge=1, le=5, min_length=1, max_length=3, pattern="b")


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("a: integer(ge) -> b", 1, 12, "Types take square brackets"),
        ("a: list(string) -> b", 1, 9, "as in list[string]"),
        ("a: integer(greater=1) -> b", 1, 12, "Constraints are ge,"),
        ("a: string(min_lenght=1) -> b", 1, 11, "Did you mean min_length?"),
        ("a: string(min_length='x') -> b", 1, 22, "a whole one"),
        ("a: string(min_length=-1) -> b", 1, 22, "a whole one"),
        ("a: string(pattern=1) -> b", 1, 19, "a text in quotes"),
        ("a: string(pattern=x) -> b", 1, 19, "a text in quotes"),
        ("a: integer(ge=1, ge=2) -> b", 1, 22, "Keep one"),
        ("a: integer(ge=1 -> b", 1, 17, "Constraints are ge,"),
        ("a:\n  list{string} -> b", 2, 7, "object{name: string}"),
        ("a: object[x] -> b", 1, 10, "Write object{"),
        ("a: object{x -> b", 1, 13, "takes braces"),
        ("a: list<string> -> b", 1, 8, "as in list[string]"),
        ("a;\nb -> c", 1, 2, "A comma stands between"),
        ("a → b", 1, 3, "The arrow between"),
        ("a: code['a b'] -> c", 1, 9, "code[python]"),
    ],
)
def test_a_fault_in_the_text_is_told_with_a_suggestion(
    text: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(SignatureSyntaxError) as refused:
        parse(text)
    error = refused.value
    assert (error.line, error.column) == (line, column)
    assert said in error.suggestion
