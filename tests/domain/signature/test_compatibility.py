"""Whether what one field gives is what another one takes."""

import pytest

from domain.signature.compatibility import feeds
from domain.signature.syntax import parse


def fed(source: str, target: str) -> bool:
    return feeds(parse(f"a -> x{source}").outputs[0], parse(f"x{target} -> b").inputs[0])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (": string", ": string"),
        (": any", ": integer"),
        (": list[string]", ": any"),
        (": integer", ": float"),
        (": token_count", ": integer"),
        (": token_count", ": float"),
        (": probability", ": float"),
        (": confidence_score", ": probability"),
        (": probability", ": confidence_score"),
        (": enum[a]", ": string"),
        (": enum[a]", ": enum[b, a]"),
        (": reasoning_chain", ": list[string]"),
        (": list[string]", ": reasoning_chain"),
        (": list[integer]", ": embedding"),
        (": list[integer]", ": array"),
        (": array", ": list[integer]"),
        (": dict[string, integer]", ": map"),
        (": dict[integer, integer]", ": dict[string, float]"),
        (": string", ": optional[string]"),
        (": optional[integer]", ": optional[float]"),
        (": string", "?: string"),
        ("?: string", "?: string"),
        ("?: string", ": string | None"),
        (": integer", ": union[string, float]"),
        (": union[integer, token_count]", ": float"),
        (": union[integer, string]", ": union[string, integer, boolean]"),
        (": integer(ge=1)", ": integer"),
        (": integer(ge=1)", ": float(gt=0)"),
        (": integer(ge=0)", ": token_count"),
        (": float(ge=0.5, lt=0.9)", ": probability"),
        (": probability", ": float(le=2)"),
        (": list[integer](min_items=2)", ": list[integer](min_items=1)"),
        (": string(max_length=2)", ": string(max_length=3)"),
        (": code", ": string"),
        (": string", ": code"),
        (": code", ": code"),
        (": object{a, b?}", ": object{a, b?, c?}"),
        (": object{a: integer}", ": object{a: float}"),
        (": object{a: integer, b: float}", ": dict[string, float]"),
        (": object{a}", ": map"),
    ],
)
def test_a_source_feeds_a_target_that_takes_all_its_values(source: str, target: str) -> None:
    assert fed(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (": string", ": integer"),
        (": float", ": integer"),
        (": float", ": probability"),
        (": string", ": enum[a]"),
        (": enum[a, c]", ": enum[a, b]"),
        (": list[string]", ": string"),
        (": list[string]", ": list[integer]"),
        (": dict[string, string]", ": dict[integer, string]"),
        (": dict[string, string]", ": list[string]"),
        (": optional[string]", ": string"),
        ("?: string", ": string"),
        (": integer", ": union[string, boolean]"),
        (": union[integer, string]", ": string"),
        (": boolean", ": integer"),
        (": integer", ": integer(ge=1)"),
        (": integer(ge=0)", ": integer(ge=1)"),
        (": list[integer]", ": list[integer](min_items=1)"),
        (": code[python]", ": code[sql]"),
        (": object{a}", ": object{b}"),
        (": object{a?}", ": object{a}"),
        (": object{a, b}", ": object{a}"),
        (": object{a}", ": dict[string, integer]"),
        (": object{a}", ": dict[integer, string]"),
        (": object{a}", ": string"),
        (": map", ": object{a?}"),
    ],
)
def test_a_source_does_not_feed_a_target_that_refuses_some_values(source: str, target: str) -> None:
    assert not fed(source, target)


def test_content_feeds_content_of_its_kind_alone() -> None:
    image, text, history = (
        parse(f"x: {kind} -> b").inputs[0] for kind in ("image", "string", "history")
    )
    assert feeds(image, image)
    assert feeds(history, history)
    assert not feeds(image, text)
    assert not feeds(text, image)
    assert not feeds(history, image)
