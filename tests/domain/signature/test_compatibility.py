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
    ],
)
def test_a_source_does_not_feed_a_target_that_refuses_some_values(source: str, target: str) -> None:
    assert not fed(source, target)
