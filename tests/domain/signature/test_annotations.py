"""The plain Python types that a model is shown."""

from typing import Any, Literal, Optional, Union

import pytest

from domain.signature.annotations import annotation
from domain.signature.syntax import parse


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("string", str),
        ("integer", int),
        ("float", float),
        ("boolean", bool),
        ("array", list[Any]),
        ("map", dict[str, Any]),
        ("any", Any),
        ("probability", float),
        ("confidence_score", float),
        ("reasoning_chain", list[str]),
        ("embedding", list[float]),
        ("token_count", int),
        ("list[integer]", list[int]),
        ("dict[integer, list[string]]", dict[int, list[str]]),
        ("enum['a', 'b']", Literal["a", "b"]),
        ("optional[string]", Optional[str]),  # noqa: UP045 - what is built
        ("optional[any]", Optional[Any]),  # noqa: UP045 - what is built
        ("union[integer, string]", Union[int, str]),  # noqa: UP007 - what is built
        ("integer(ge=1)", int),
        ("code[sql]", str),
        ("image", str),
        ("history", list[dict[str, Any]]),
    ],
)
def test_a_field_type_has_a_plain_python_type(written: str, plain: object) -> None:
    assert annotation(parse(f"x: {written} -> y").inputs[0].type) == plain


def test_a_model_sees_an_object_with_its_names_bounds_and_words() -> None:
    spec = parse(
        "x: object{home: object{street 'with its number', floor?: integer(ge=0)},"
        " n: optional[integer(le=3)], tags: list[string](max_items=2)} -> y"
    )
    shown = annotation(spec.inputs[0].type, name="Person")
    assert (shown.__name__, shown.model_json_schema()) == (
        "Person",
        {
            "title": "Person",
            "type": "object",
            "additionalProperties": False,
            "required": ["home", "n", "tags"],
            "properties": {
                "home": {"$ref": "#/$defs/Home"},
                "n": {"anyOf": [{"type": "integer", "maximum": 3}, {"type": "null"}], "title": "N"},
                "tags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "maxItems": 2,
                    "title": "Tags",
                },
            },
            "$defs": {
                "Home": {
                    "title": "Home",
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["street"],
                    "properties": {
                        "street": {
                            "type": "string",
                            "title": "Street",
                            "description": "with its number",
                        },
                        "floor": {
                            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}],
                            "default": None,
                            "title": "Floor",
                        },
                    },
                }
            },
        },
    )
