"""Values against a signature: coerced and completed, or every fault named at once."""

from typing import Any

import pytest
from pydantic import JsonValue

from domain.signature.errors import ValuesDoNotFit
from domain.signature.schemas import json_schema, strict_json_schema
from domain.signature.syntax import parse
from domain.signature.validation import validate_arguments, validate_inputs, validate_outputs
from domain.text import MAX_DEPTH


def refused(type: str, value: JsonValue, *, strict: bool = False) -> ValuesDoNotFit:
    with pytest.raises(ValuesDoNotFit) as error:
        validate_outputs(parse(f"a -> x: {type}"), {"x": value}, strict=strict)
    return error.value


def taken(type: str, value: JsonValue, *, strict: bool = False) -> JsonValue:
    return validate_outputs(parse(f"a -> x: {type}"), {"x": value}, strict=strict)["x"]


@pytest.mark.feature("SIG-24")
@pytest.mark.parametrize(
    ("type", "value", "coerced"),
    [
        ("string", "a", "a"),
        ("string", "", ""),
        ("integer", 42, 42),
        ("integer", "42", 42),
        ("integer", " 42 ", 42),
        ("integer", -1.0, -1),
        ("float", 1, 1.0),
        ("float", "0.87", 0.87),
        ("float", "1e3", 1000.0),
        ("boolean", True, True),
        ("boolean", "true", True),
        ("boolean", " False ", False),
        ("probability", 0, 0.0),
        ("probability", 1, 1.0),
        ("probability", "0.5", 0.5),
        ("confidence_score", 0.3, 0.3),
        ("token_count", "7", 7),
        ("token_count", 0, 0),
        ("embedding", [1, "0.5"], [1.0, 0.5]),
        ("reasoning_chain", ["a", "b"], ["a", "b"]),
        ("reasoning_chain", "1. a\n2) b\n\n- c\nStep 4: d\n  e", ["a", "b", "c", "d", "e"]),
        ("reasoning_chain", "", []),
        ("array", [1, "a", None, {"k": []}], [1, "a", None, {"k": []}]),
        ("map", {"k": [1.5]}, {"k": [1.5]}),
        ("any", {"k": [None]}, {"k": [None]}),
        ("any", None, None),
        ("list[integer]", ["1", 2], [1, 2]),
        ("list[list[integer]]", [["1"], []], [[1], []]),
        ("dict[string, float]", {"a": "1"}, {"a": 1.0}),
        ("dict[integer, string]", {"1": "a"}, {"1": "a"}),
        ("enum['a', 'b']", "b", "b"),
        ("optional[integer]", None, None),
        ("optional[integer]", "3", 3),
        ("union[integer, string]", "3", "3"),
        ("union[integer, string]", 3, 3),
        ("union[integer, boolean]", True, True),
        ("union[probability, list[string]]", ["a"], ["a"]),
        ("integer(ge=1)", " 3 ", 3),
        ("float(le=1)", "1", 1.0),
        ("string(max_length=3)", "abc", "abc"),
        ("list[integer(ge=0)](max_items=2)", ["1", 0], [1, 0]),
        ("reasoning_chain(min_items=2)", "a\nb", ["a", "b"]),
        ("object{n: integer, b?: boolean}", {"n": "4", "b": "true"}, {"n": 4, "b": True}),
        ("object{p: probability}", {"p": "1"}, {"p": 1.0}),
        ("list[object{n: float}]", [{"n": "1e1"}], [{"n": 10.0}]),
        ("dict[string, object{n: integer}]", {"k": {"n": 1.0}}, {"k": {"n": 1}}),
        ("optional[object{n: integer}]", None, None),
        ("union[integer, object{n: integer}]", {"n": "1"}, {"n": 1}),
        ("code", "x = 1", "x = 1"),
    ],
)
def test_sig_24_a_fitting_value_is_coerced(type: str, value: Any, coerced: Any) -> None:
    result = taken(type, value)
    assert result == coerced
    assert repr(result) == repr(coerced)


@pytest.mark.feature("SIG-24")
@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("string", 1),
        ("string", None),
        ("integer", "x"),
        ("integer", 1.5),
        ("integer", True),
        ("float", "abc"),
        ("float", "nan"),
        ("float", "1e999"),
        ("float", 10**400),
        ("float", False),
        ("boolean", "yes"),
        ("boolean", 1),
        ("boolean", 0),
        ("probability", 1.2),
        ("probability", -0.1),
        ("token_count", -1),
        ("embedding", ["x"]),
        ("embedding", 1),
        ("reasoning_chain", [1]),
        ("array", "a"),
        ("map", []),
        ("dict[integer, string]", {"a": "b"}),
        ("enum['a', 'b']", "c"),
        ("list[integer]", [None]),
        ("union[integer, boolean]", "x"),
        ("integer(ge=1)", "0"),
        ("integer(ge=1)", True),
        ("object{n: integer}", {"n": "x"}),
        ("object{n: integer}", [1]),
        ("object{n: integer}", '{"n": 1}'),
        ("optional[object{n: integer}]", "x"),
        ("list[object{b: boolean}]", [{"b": 1}]),
        ("code", 1),
    ],
)
def test_sig_24_a_value_that_does_not_fit_is_refused(type: str, value: Any) -> None:
    error = refused(type, value)
    assert {fault.code for fault in error.faults} == {"value.invalid"}
    assert error.faults[0].pointer.startswith("/x")


@pytest.mark.feature("SIG-24")
@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("integer", "42"),
        ("integer", 1.0),
        ("float", "0.87"),
        ("boolean", "true"),
        ("boolean", "yes"),
        ("probability", "0.5"),
        ("token_count", "1"),
        ("embedding", ["1"]),
        ("reasoning_chain", "a"),
        ("integer(ge=0)", "1"),
        ("float(ge=0)", "1"),
        ("object{n: integer}", {"n": "1"}),
        ("list[object{b: boolean}]", [{"b": "true"}]),
        ("optional[integer]", "1"),
        ("list[float]", ["1"]),
    ],
)
def test_sig_24_strict_mode_coerces_nothing(type: str, value: Any) -> None:
    assert refused(type, value, strict=True).faults


@pytest.mark.parametrize(
    ("type", "value"),
    [("float", 1), ("probability", 0.5), ("dict[integer, string]", {"1": "a"}), ("token_count", 3)],
)
def test_strict_mode_takes_what_is_of_the_type(type: str, value: Any) -> None:
    assert taken(type, value, strict=True) == value


@pytest.mark.feature("SIG-11")
def test_sig_11_a_float_is_read_from_text() -> None:
    assert taken("float", "0.87") == 0.87
    assert "abc" in refused("float", "abc").faults[0].message


@pytest.mark.feature("SIG-13")
@pytest.mark.parametrize(("value", "bound"), [(1.2, "1"), (-0.5, "0")])
def test_sig_13_a_probability_out_of_bounds_names_field_value_and_bound(
    value: float, bound: str
) -> None:
    fault = refused("probability", value).faults[0]
    assert fault.pointer == "/x"
    assert fault.message.startswith(f"x is {value}: ")
    assert fault.message.endswith(f"equal to {bound}.")


@pytest.mark.feature("SIG-14")
def test_sig_14_a_reasoning_chain_is_an_array_of_strings() -> None:
    schema = json_schema(parse("a -> x: reasoning_chain").outputs)
    assert schema["properties"]["x"] == {"type": "array", "items": {"type": "string"}}


@pytest.mark.feature("SIG-19")
def test_sig_19_an_omitted_input_gets_its_default_or_null() -> None:
    spec = parse("a, tone?: string = 'dry', note?, n?: int = 3 -> b")
    assert validate_inputs(spec, {"a": "x"}) == {"a": "x", "tone": "dry", "note": None, "n": 3}
    assert validate_inputs(spec, {"a": "x", "tone": "warm", "n": None}) == {
        "a": "x", "tone": "warm", "note": None, "n": None,
    }  # fmt: skip


@pytest.mark.feature("SIG-23")
def test_sig_23_all_missing_inputs_are_named_in_order() -> None:
    with pytest.raises(ValuesDoNotFit) as error:
        validate_inputs(parse("b, a, c -> d"), {"c": "x"}, at="/inputs")
    assert str(error.value) == "Missing required inputs: a, b"
    assert [(fault.pointer, fault.code) for fault in error.value.faults] == [
        ("/inputs/b", "value.missing"),
        ("/inputs/a", "value.missing"),
    ]


def test_missing_outputs_are_named() -> None:
    with pytest.raises(ValuesDoNotFit, match=r"^Missing outputs: b$"):
        validate_outputs(parse("a -> b, c"), {"c": "x"})


def test_every_fault_is_named_at_once_with_its_pointer() -> None:
    spec = parse("a, n: list[union[int, bool]], m: map, p: probability -> d")
    values: dict[str, JsonValue] = {"n": [1, "x"], "m": {}, "p": 3, "x/y": 1}
    with pytest.raises(ValuesDoNotFit) as error:
        validate_inputs(spec, values, at="/in")
    assert str(error.value) == "Missing required inputs: a"
    assert [(fault.pointer, fault.code) for fault in error.value.faults] == [
        ("/in/a", "value.missing"),
        ("/in/n/1", "value.invalid"),
        ("/in/n/1", "value.invalid"),
        ("/in/p", "value.invalid"),
        ("/in/x~1y", "value.unknown"),
    ]


def test_faults_without_a_missing_one_say_the_first() -> None:
    with pytest.raises(ValuesDoNotFit, match=r"^These inputs do not fit the signature: a is 1: "):
        validate_inputs(parse("a -> d"), {"a": 1})


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(refused("integer", "x" * 1000).faults[0].message) < 200


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("a\x00", "text.unsafe"),
        ("a\ud800", "text.unsafe"),
        ([float("nan")], "json.not_finite"),
        (10**4000, "json.integer_too_long"),
    ],
)
def test_what_cannot_be_stored_is_refused(value: Any, code: str) -> None:
    error = refused("any", value)
    assert [fault.code for fault in error.faults] == [code]
    assert str(error).startswith("These outputs cannot be stored: ")


def test_an_endless_integer_is_refused_without_being_written_out() -> None:
    assert [fault.code for fault in refused("any", 10**5000).faults] == ["json.integer_too_long"]


def test_deep_values_are_refused_without_exhausting_the_stack() -> None:
    value: JsonValue = 1
    for _ in range(100_000):
        value = [value]
    assert [fault.code for fault in refused("any", value).faults] == ["json.too_deep"]


def test_a_value_of_the_greatest_depth_is_taken() -> None:
    value: JsonValue = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert taken("any", value) == value


@pytest.mark.parametrize("name", ["copy", "json", "schema", "f0", "validate", "dict"])
def test_a_field_may_be_called_as_a_method_is(name: str) -> None:
    assert validate_inputs(parse(f"a, {name} -> b"), {"a": "x", name: "y"}) == {"a": "x", name: "y"}


def test_equal_looking_defaults_of_different_types_stay_apart() -> None:
    texts = ("a?: any = 1 -> b", "a?: any = true -> b", "a?: any = 1.0 -> b")
    assert [repr(validate_inputs(parse(text), {})["a"]) for text in texts] == ["1", "True", "1.0"]


@pytest.mark.feature("SIG-25")
def test_sig_25_the_json_schema_of_the_papers_example() -> None:
    spec = parse("signature question: :string -> answer: :string, confidence: :float")
    assert json_schema(spec.inputs) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"question": {"type": "string"}},
        "required": ["question"],
        "additionalProperties": False,
    }
    assert json_schema(spec.outputs) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"answer": {"type": "string"}, "confidence": {"type": "number"}},
        "required": ["answer", "confidence"],
        "additionalProperties": False,
    }


@pytest.mark.feature("SIG-25")
def test_sig_25_bounds_words_and_defaults_are_in_the_json_schema() -> None:
    spec = parse("a: probability 'how sure', n?: token_count = 3, e: enum[x, y], o? -> b")
    assert json_schema(spec.inputs)["properties"] == {
        "a": {"type": "number", "minimum": 0, "maximum": 1, "description": "how sure"},
        "n": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": 3},
        "e": {"type": "string", "enum": ["x", "y"]},
        "o": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    }
    assert json_schema(spec.inputs)["required"] == ["a", "e"]


@pytest.mark.feature("SIG-26")
def test_sig_26_the_strict_form_requires_every_field() -> None:
    schema = strict_json_schema(parse("a, n?: int = 3 -> b").inputs)
    assert (schema["required"], schema["additionalProperties"]) == (["a", "n"], False)
    assert schema["properties"]["n"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}


def test_arguments_of_a_tool_are_checked_as_inputs_are() -> None:
    fields = parse("query, k: int = 3 -> b").inputs
    assert validate_arguments(fields, {"query": "x"}) == {"query": "x", "k": 3}
    with pytest.raises(ValuesDoNotFit) as refused:
        validate_arguments(fields, {"k": "many"})
    assert [fault.pointer for fault in refused.value.faults] == ["/query", "/k"]
