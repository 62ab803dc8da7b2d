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
    ],
)
def test_a_field_type_has_a_plain_python_type(written: str, plain: object) -> None:
    assert annotation(parse(f"x: {written} -> y").inputs[0].type) == plain
