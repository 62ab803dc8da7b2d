"""``stratal tool list``: what agents may call."""

from collections.abc import Callable

import pytest

from tests.infrastructure.cli.conftest import Bench, Said

Call = Callable[..., Said]

SPEC = {
    "kind": "python",
    "name": "search",
    "description": "Find articles.",
    "entry_point": "shop.tools:search",
}


@pytest.mark.feature("MOD-25")
def test_mod_25_the_tools_on_the_shelf_are_listed(stratal: Call, bench: Bench) -> None:
    assert stratal("tool", "list").out == "There are no tools. Create one with POST /v1/tools.\n"
    made = bench.connect().tools.create(SPEC)
    said = stratal("tool", "list").out
    assert "search" in said
    assert str(made["id"]) in said
    (told,) = stratal("tool", "list", "--json").json
    assert told["spec"]["entry_point"] == "shop.tools:search"
