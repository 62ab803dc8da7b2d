"""The JSON Schemas of signatures: valid ones, which take what validation takes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from domain.errors import InvalidError
from domain.signature.fields import SignatureSpec
from domain.signature.schemas import SchemaForm, json_schema, schema_for, strict_json_schema
from domain.signature.syntax import parse
from domain.signature.validation import validate_inputs
from tests.domain.signature.test_syntax_laws import json_values, signatures

GOLDEN = Path(__file__).parent / "golden" / "json_schema.json"
PAPER = "signature query: :string, documents: list[:string] ->\nanswer: :string,\nsources: list[:string],\nconfidence: :probability"  # noqa: E501 - as the paper has it
RICH = (
    "question: string(min_length=1, pattern='^\\\\S'), picture?: image, k: integer(ge=1, lt=9) = 3,"
    " tags: list[enum[a, b]](max_items=2), scores: dict[integer, float], extra: any, turns: history"
    " -> person: object{name: string 'in full', age?: integer(multiple_of=2)},"
    " words: map(min_items=1), why?: string(max_length=9), code: code, sound: integer | string"
)


def every_form(text: str) -> dict[str, Any]:
    spec = parse(text)
    return {
        f"{side} {form}": schema_for(form, "Rich one", spec, fields)
        for side, fields in (("inputs", spec.inputs), ("outputs", spec.outputs))
        for form in SchemaForm
    }


@pytest.mark.feature("SIG-25")
@pytest.mark.feature("SIG-26")
def test_sig_25_the_json_schemas_are_those_of_the_golden_file() -> None:
    schemas = {"paper": every_form(PAPER), "rich": every_form(RICH)}
    assert schemas == json.loads(GOLDEN.read_text())


@pytest.mark.feature("SIG-25")
def test_sig_25_the_golden_file_is_valid_under_draft_2020_12() -> None:
    for forms in json.loads(GOLDEN.read_text()).values():
        for schema in forms.values():
            bare = schema.get("input_schema") or schema.get("schema") or schema
            Draft202012Validator.check_schema(bare)


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every object of *schema* that names its fields, at any depth."""
    if isinstance(schema, list):
        return [found for part in schema for found in objects(part)]
    if not isinstance(schema, dict):
        return []
    inside = [found for part in schema.values() for found in objects(part)]
    return [schema, *inside] if "properties" in schema and "type" in schema else inside


@pytest.mark.feature("SIG-26")
@settings(deadline=None, max_examples=50)
@given(signatures())
def test_sig_26_every_object_for_openai_is_closed_and_requires_all(spec: SignatureSpec) -> None:
    told = schema_for(SchemaForm.OPENAI, "x", spec, spec.outputs)
    found = objects(told["schema"])
    assert found
    for each in found:
        assert each["required"] == list(each["properties"])
        assert each["additionalProperties"] is False
        assert "default" not in each


@pytest.mark.feature("SIG-26")
@pytest.mark.parametrize(
    ("type", "strict"),
    [
        ("string", True),
        ("list[object{a}]", True),
        ("map", False),
        ("list[any]", False),
        ("object{a: dict[string, integer]}", False),
    ],
)
def test_sig_26_open_objects_are_not_called_strict(type: str, strict: bool) -> None:
    spec = parse(f"a -> b: {type}")
    assert schema_for(SchemaForm.OPENAI, "x", spec, spec.outputs)["strict"] is strict


@pytest.mark.feature("SIG-26")
def test_sig_26_for_anthropic_it_is_a_tool() -> None:
    spec = parse('"Answer." a -> b')
    assert schema_for(SchemaForm.ANTHROPIC, "Grüße 1/2", spec, spec.outputs) == {
        "name": "Gr__e_1_2",
        "description": "Answer.",
        "input_schema": {
            "type": "object",
            "properties": {"b": {"type": "string"}},
            "required": ["b"],
            "additionalProperties": False,
        },
    }


@settings(deadline=None, max_examples=50)
@given(signatures())
def test_every_schema_is_valid_under_draft_2020_12(spec: SignatureSpec) -> None:
    for fields in (spec.inputs, spec.outputs):
        Draft202012Validator.check_schema(json_schema(fields))
        Draft202012Validator.check_schema(strict_json_schema(fields))


@settings(deadline=None, max_examples=50)
@given(signatures(), st.data())
def test_what_strict_validation_takes_fits_the_schema(
    spec: SignatureSpec, data: st.DataObject
) -> None:
    given = {field.name: json_values for field in spec.inputs}
    values = data.draw(st.fixed_dictionaries(given))
    try:
        validate_inputs(spec, values, strict=True)
    except InvalidError:
        return
    Draft202012Validator(json_schema(spec.inputs)).validate(values)
