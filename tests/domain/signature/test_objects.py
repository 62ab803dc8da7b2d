"""Objects within signatures: a type of their own, closed, with optional fields and defaults."""

import pytest
from pydantic import JsonValue

from domain.errors import InvalidError
from domain.signature.errors import InvalidSignature, ValuesDoNotFit
from domain.signature.fields import SignatureSpec
from domain.signature.hashing import content_hash
from domain.signature.rules import accepted
from domain.signature.syntax import parse, render
from domain.signature.validation import validate_inputs, validate_outputs

ADDRESS = "object{street: string 'with its number', zip?: string, floor?: float = 1}"


MANY = ", ".join(f"y{number}" for number in range(100))


def test_an_object_is_written_in_one_spelling() -> None:
    assert render(parse(f"a: {ADDRESS} -> b")) == (
        'a: object{street: string "with its number", zip?: string, floor?: float = 1.0}'
        " -> b: string"
    )


@pytest.mark.feature("SIG-03")
def test_sig_03_an_object_hashes_alike_as_text_and_as_json() -> None:
    number = {"kind": "primitive", "name": "float"}
    fields = [
        {"name": "street", "description": "with its number"},
        {"name": "zip", "optional": True},
        {"name": "floor", "type": number, "default": 1},
    ]
    data = {
        "inputs": [{"name": "a", "type": {"kind": "object", "fields": fields}}],
        "outputs": [{"name": "b"}],
    }
    spec = accepted(SignatureSpec.model_validate(data))
    assert content_hash(spec) == content_hash(parse(f"a: {ADDRESS} -> b"))


def test_what_was_left_out_of_an_object_has_its_default_or_is_null() -> None:
    spec = parse(f"a: list[{ADDRESS}] -> b")
    assert validate_inputs(spec, {"a": [{"street": "x"}]}) == {
        "a": [{"street": "x", "zip": None, "floor": 1.0}]
    }


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({}, ["/a/street"]),
        ({"street": 1}, ["/a/street"]),
        ({"street": "x", "town": "y"}, ["/a/town"]),
        ({"street": 1, "floor": "high"}, ["/a/street", "/a/floor"]),
        ([], ["/a"]),
    ],
)
def test_every_fault_within_an_object_has_its_pointer(
    value: JsonValue, pointers: list[str]
) -> None:
    with pytest.raises(ValuesDoNotFit) as refused:
        validate_inputs(parse(f"a: {ADDRESS} -> b"), {"a": value})
    assert [fault.pointer for fault in refused.value.faults] == pointers


def test_an_answer_with_an_object_is_completed() -> None:
    spec = parse("a -> b: object{n?: integer, o: object{m: boolean}}")
    assert validate_outputs(spec, {"b": {"o": {"m": "true"}}}) == {
        "b": {"n": None, "o": {"m": True}}
    }


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ("a: object{_x} -> b", "/inputs/0/type/fields/0/name", "name.invalid"),
        ("a: object{x, x} -> b", "/inputs/0/type/fields/1/name", "name.repeated"),
        ("a: list[object{x: dict[float, int]}] -> b",
         "/inputs/0/type/item/fields/0/type", "type.key"),
        ("a: object{x: int = 'y'} -> b", "/inputs/0/type/fields/0/default", "default.invalid"),
        ("a -> b: list[object{x: list[object{y: int = 'y'}]}]",
         "/outputs/0/type/item/fields/0/type/item/fields/0/default", "default.invalid"),
        ("a: dict[string, optional[object{x: union[int, enum[a, a]]}]] -> b",
         "/inputs/0/type/value/of/fields/0/type/options/1", "enum.repeated"),
        ("a: dict[list[int], int] -> b", "/inputs/0/type", "type.key"),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_within_an_object_has_its_pointer(
    text: str, pointer: str, code: str
) -> None:
    with pytest.raises(InvalidSignature) as refused:
        parse(text)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: " + "object{x: " * 100_000, "invalid_signature_format"),
        ("a: object{" + ", ".join(f"x{n}" for n in range(201)) + "} -> b", "signature.invalid"),
        (
            "a: object{"
            + ", ".join(f"x{n}: object{{{MANY}}}" for n in range(10))
            + "} -> b",
            "signature.invalid",
        ),
    ],
)  # fmt: skip
def test_hostile_objects_are_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            ", ".join(f"a{n}: object{{{', '.join(f'x{m}: int = {n}' for m in range(99))}}}"
                      for n in range(21)),
            "type.too_large",
        ),
        (", ".join(f"a{n}: string(pattern='a{n}')" for n in range(21)), "pattern.too_many"),
    ],
)  # fmt: skip
def test_what_would_take_long_to_look_at_is_refused_at_once(text: str, code: str) -> None:
    with pytest.raises(InvalidSignature) as refused:
        parse(f"{text} -> b")
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("", code)]


@pytest.mark.parametrize("name", ["copy", "json", "schema", "model_config", "class", "f0"])
def test_a_field_of_an_object_may_have_any_name(name: str) -> None:
    spec = parse(f"a: object{{{name}: integer}} -> b")
    assert validate_inputs(spec, {"a": {name: 1}}) == {"a": {name: 1}}
