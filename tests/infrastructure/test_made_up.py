"""Values that are made up for a dry run fit what they are made up for."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings

from application.probing import ModuleRefused
from domain.probe.values import ModulePromise
from domain.signature.fields import SignatureSpec
from domain.signature.syntax import parse, render
from domain.signature.validation import validate_inputs
from infrastructure.dspy_runtime.probing import made_up_inputs
from infrastructure.made_up import made_up
from tests.domain.signature.test_syntax_laws import signatures


def promise(spec: SignatureSpec) -> ModulePromise:
    return ModulePromise(import_path="a:B", signature=spec)


@pytest.mark.parametrize(
    "fields",
    [
        "a: list[string], b: probability, c: token_count, d: embedding, e: reasoning_chain",
        "a: map, b: any, c: array, d: history, e: code[python]",
        "a: image, b: audio, c: file",
        "a: dict[integer, string], b: Literal['x', 'y'], c: integer | list[string]",
        "a: object{street: string, n: integer(gt=5)}, b: Optional[int]",
        "a: integer(ge=3, le=9), b: float(gt=0, lt=1), c: integer(lt=0), d: float(le=-2)",
        "a: integer(multiple_of=7), b: integer(multiple_of=7, ge=8), c: integer(gt=7)",
        "a: string(min_length=40), b: string(max_length=3), c: list[integer](min_items=3)",
    ],
)
def test_inputs_of_every_type_are_made_up(fields: str) -> None:
    spec = parse(f"{fields} -> answer")
    made = made_up_inputs(promise(spec))
    assert validate_inputs(spec, made) == made


@settings(deadline=None, max_examples=100)
@given(signatures())
def test_whatever_the_signature_its_inputs_fit_or_have_to_be_sent(spec: SignatureSpec) -> None:
    if any(word in render(spec) for word in ("pattern=", "unique")):
        with suppress(ModuleRefused):
            made_up_inputs(promise(spec))
        return
    made = made_up_inputs(promise(spec))
    assert validate_inputs(spec, made) == made


def test_what_refers_to_itself_comes_to_an_end() -> None:
    tree: dict[str, Any] = {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "left": {"$ref": "#/$defs/Tree"},
                    "many": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
                },
            }
        },
    }
    made = made_up(tree)
    assert isinstance(made, dict)
    assert made["name"] == "some name"


def test_constants_and_nothing_are_themselves() -> None:
    assert made_up({"const": 7}) == 7
    assert made_up({"type": "null"}) is None
    assert made_up({"type": "boolean"}) is True
    assert made_up({"anyOf": [{"type": "null"}, {"type": "integer", "maximum": -1}]}) == -1
    assert made_up({"type": "array", "items": {"type": "integer"}, "maxItems": 0}) == []
