"""Which tools may be called: only what somebody who runs the service named."""

import pytest

from domain.tool.allowance import Allowance, Reach
from domain.tool.errors import ToolIsNotAllowed
from domain.tool.values import Corpus, HttpTool, McpTool, PythonTool, RetrieverTool, ToolSpec
from tests.domain.tool.test_rules import ID, http, python

ALLOWED = Allowance(
    entry_points=frozenset({"shop.tools:search", "shop.more", "stock"}),
    hosts=frozenset(
        {"api.shop.example", "*.open.example", "http://tools.internal:8080", "https://[::1]:9"}
    ),
    servers=frozenset({"files"}),
    secrets={"shop": "api.shop.example"},
)
MCP = McpTool(name="read", description="Read a file.", server="files", tool="read")


def is_allowed(tool: ToolSpec, allowed: Allowance = ALLOWED) -> bool:
    return not list(allowed.refusals(tool))


@pytest.mark.parametrize(
    ("entry_point", "allowed"),
    [
        ("shop.tools:search", True),
        ("shop.tools:delete", False),
        ("shop.tools.deep:search", False),
        ("shop.more:anything", True),
        ("shop.more.deep:anything", True),
        ("shop.more:_private", False),
        ("shop.moreover:anything", False),
        ("shop:anything", False),
        ("stock:count", True),
        ("os:system", False),
    ],
)
def test_a_function_is_allowed_by_its_name_or_by_its_package(
    entry_point: str, allowed: bool
) -> None:
    assert is_allowed(python(entry_point=entry_point)) == allowed


def test_a_function_belongs_to_the_innermost_package_that_is_allowed() -> None:
    both = Allowance(entry_points=frozenset({"shop", "shop.more"}))
    assert both.package_of("shop.more.deep:x") == "shop.more"
    assert both.package_of("shop.tools:x") == "shop"


@pytest.mark.parametrize(
    ("url", "reach"),
    [
        ("https://api.shop.example/items", Reach.PUBLIC),
        ("https://API.SHOP.EXAMPLE:443/items", Reach.PUBLIC),
        ("https://api.shop.example./items", Reach.PUBLIC),
        ("https://a.b.open.example/", Reach.PUBLIC),
        ("http://tools.internal:8080/x", Reach.ANYWHERE),
        ("https://[::1]:9/x", Reach.ANYWHERE),
        ("http://api.shop.example/items", None),
        ("https://api.shop.example:8443/items", None),
        ("https://open.example/", None),
        ("https://api.shop.example.evil.example/", None),
        ("https://evil.example/api.shop.example", None),
        ("https://api.shop.example@evil.example/", None),
        ("http://tools.internal/x", None),
        ("https://tools.internal:8080/x", None),
        ("https://127.0.0.1/", None),
        ("https://shop.example:99999/", None),
        ("file:///etc/passwd", None),
        ("https:///x", None),
    ],
)
def test_an_address_is_reached_as_far_as_its_host_is_named(url: str, reach: Reach | None) -> None:
    assert ALLOWED.reach_of(url) is reach
    assert is_allowed(http(url=url)) == (reach is not None)


def test_every_host_may_be_allowed_and_then_only_publicly() -> None:
    every = Allowance(hosts=frozenset({"*"}))
    assert every.reach_of("https://anything.example/") is Reach.PUBLIC
    assert every.reach_of("https://localhost/") is Reach.PUBLIC
    assert every.reach_of("http://anything.example/") is None


@pytest.mark.parametrize(
    ("secret", "url", "allowed"),
    [
        ("shop", "https://api.shop.example/x", True),
        ("shop", "https://a.open.example/x", False),
        ("other", "https://api.shop.example/x", False),
    ],
)
def test_a_secret_goes_to_its_own_host_only(secret: str, url: str, allowed: bool) -> None:
    assert is_allowed(http(url=url, secret=secret)) == allowed


def test_a_server_is_allowed_by_its_name_and_what_is_ours_always() -> None:
    look_up = RetrieverTool(
        name="look_up", description="Look it up.", corpus=Corpus(dataset_id=ID, field="text")
    )
    assert is_allowed(MCP)
    assert not is_allowed(MCP, Allowance())
    assert is_allowed(look_up, Allowance())


@pytest.mark.feature("MOD-25")
def test_mod_25_every_tool_that_is_not_allowed_is_named() -> None:
    tools: list[tuple[str, PythonTool | HttpTool | McpTool]] = [
        ("/tools/0", python()),
        ("/tools/1", http()),
        ("/tools/2", MCP),
    ]
    ALLOWED.require(tools)
    with pytest.raises(ToolIsNotAllowed) as refused:
        Allowance().require(tools)
    assert [fault.pointer for fault in refused.value.faults] == [at for at, _ in tools]
    assert str(refused.value) == (
        "shop.tools:search is not allowed here. STRATAL_TOOLS can name it."
    )
