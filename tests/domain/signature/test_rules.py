"""What a signature must keep to beyond its form."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.rules import RESERVED, accepted
from domain.signature.types import (
    PRIMITIVES,
    STRING,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    OptionalOf,
    UnionOf,
)

OUT = FieldSpec(name="out")


def spec_of(*inputs: FieldSpec, outputs: tuple[FieldSpec, ...] = (OUT,)) -> SignatureSpec:
    return SignatureSpec(inputs=inputs, outputs=outputs)


def faults_of(spec: SignatureSpec) -> list[tuple[str, str]]:
    with pytest.raises(InvalidSignature) as refused:
        accepted(spec)
    assert refused.value.code == "signature.invalid"
    assert refused.value.faults[0].message in str(refused.value)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def deep(levels: int) -> FieldType:
    nested: FieldType = STRING
    for _ in range(levels - 1):
        nested = ListOf(item=nested)
    return nested


@pytest.mark.feature("SIG-18")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "name.invalid"),
        ("1a", "name.invalid"),
        ("_a", "name.invalid"),
        ("__class__", "name.invalid"),
        ("a-b", "name.invalid"),
        ("a b", "name.invalid"),
        ("a\n", "name.invalid"),
        ("é", "name.invalid"),
        ("a\x00", "name.invalid"),
        ("a\ud800", "name.invalid"),
        ("a" * 101, "name.too_long"),
        ("class", "name.reserved"),
        ("None", "name.reserved"),
        ("model_config", "name.reserved"),
        *((name, "name.reserved") for name in sorted(RESERVED)),
    ],
)
def test_sig_18_a_bad_name_is_refused(name: str, code: str) -> None:
    assert faults_of(spec_of(FieldSpec(name=name))) == [("/inputs/0/name", code)]


@pytest.mark.feature("SIG-18")
@pytest.mark.parametrize("name", ["a", "A1_b", "reasoning", "a" * 100, "type", "match", "copy"])
def test_sig_18_a_good_name_is_taken(name: str) -> None:
    assert accepted(spec_of(FieldSpec(name=name))).inputs[0].name == name


@pytest.mark.feature("SIG-18")
def test_sig_18_names_are_unique_over_inputs_and_outputs() -> None:
    spec = spec_of(FieldSpec(name="a"), FieldSpec(name="a"), outputs=(FieldSpec(name="a"),))
    assert faults_of(spec) == [
        ("/inputs/1/name", "name.repeated"),
        ("/outputs/0/name", "name.repeated"),
    ]


@pytest.mark.feature("SIG-18")
def test_sig_18_a_signature_has_at_most_200_fields() -> None:
    fields = tuple(FieldSpec(name=f"f{number}") for number in range(200))
    assert len(accepted(spec_of(*fields[:199])).inputs) == 199
    assert faults_of(spec_of(*fields)) == [("", "fields.too_many")]


@pytest.mark.feature("SIG-18")
@pytest.mark.parametrize(
    ("text", "code"),
    [("é" * 32_769, "text.too_long"), ("a\x00", "text.unsafe"), ("a\ud800", "text.unsafe")],
)
def test_sig_18_a_long_or_unsafe_text_is_refused(text: str, code: str) -> None:
    spec = spec_of(FieldSpec(name="a", description=text)).model_copy(update={"instructions": text})
    assert faults_of(spec) == [("/instructions", code), ("/inputs/0/description", code)]


@pytest.mark.parametrize(
    ("type", "code"),
    [
        (deep(17), "type.too_deep"),
        (DictOf(key=PRIMITIVES["float"], value=STRING), "type.key"),
        (UnionOf(options=(STRING,) * 21), "type.union_too_long"),
        (EnumOf(values=("a", "b", "a")), "enum.repeated"),
        (EnumOf(values=tuple(map(str, range(1001)))), "enum.too_many"),
        (EnumOf(values=(" ",)), "enum.word"),
        (EnumOf(values=("a" * 1001,)), "enum.word"),
        (EnumOf(values=("a\x00",)), "text.unsafe"),
    ],
)
def test_a_type_out_of_bounds_is_refused(type: FieldType, code: str) -> None:
    assert faults_of(spec_of(FieldSpec(name="a", type=type))) == [("/inputs/0/type", code)]


def test_a_fault_points_to_the_part_of_the_type() -> None:
    kind = ListOf(item=DictOf(key=OptionalOf(of=STRING), value=STRING))
    assert faults_of(spec_of(FieldSpec(name="a", type=kind))) == [
        ("/inputs/0/type/item", "type.key")
    ]


def test_a_type_within_bounds_is_taken() -> None:
    assert accepted(spec_of(FieldSpec(name="a", type=deep(16)))).inputs[0].type == deep(16)


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"type": {"kind": "primitive", "name": "integer"}, "default": "x"}, "default.invalid"),
        ({"type": {"kind": "enum", "values": ["a"]}, "default": "b"}, "default.invalid"),
        ({"default": "a\x00"}, "default.invalid"),
        ({"default": "a", "has_default": False}, "default.contradicted"),
    ],
)
def test_a_default_that_does_not_fit_is_refused(field: dict[str, Any], code: str) -> None:
    spec = spec_of(FieldSpec.model_validate({"name": "a", **field}))
    assert faults_of(spec) == [("/inputs/0/default", code)]


def test_an_output_has_no_default() -> None:
    spec = spec_of(FieldSpec(name="a"), outputs=(FieldSpec(name="b", default="x"),))
    assert faults_of(spec) == [("/outputs/0/default", "default.on_output")]


def test_a_field_with_a_default_may_be_left_out() -> None:
    field = FieldSpec.model_validate({"name": "a", "default": None, "optional": False})
    assert (field.has_default, field.optional) == (True, True)


def test_a_field_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValidationError):
        FieldSpec.model_validate("a: string")


def test_one_spelling_is_kept_of_types_defaults_and_texts() -> None:
    written = FieldSpec(
        name="a",
        type=OptionalOf(of=OptionalOf(of=PRIMITIVES["float"])),
        description="",
        default="1",
    )
    kept = accepted(spec_of(written).model_copy(update={"instructions": ""}))
    assert kept.instructions is None
    assert kept.inputs[0] == FieldSpec(
        name="a", type=OptionalOf(of=PRIMITIVES["float"]), default=1.0
    )
    assert isinstance(kept.inputs[0].default, float)


def test_every_fault_is_named_at_once() -> None:
    bad = FieldSpec(name="class", type=EnumOf(values=("", "")), description="\x00")
    assert [code for _, code in faults_of(spec_of(bad))] == [
        "name.reserved",
        "text.unsafe",
        "enum.repeated",
        "enum.word",
        "enum.word",
    ]
