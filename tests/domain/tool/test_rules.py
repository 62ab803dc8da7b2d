"""What a tool must keep to; every fault is named at once."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.errors import Fault
from domain.signature.fields import FieldSpec
from domain.tool.rules import MAX_TOOLS, arguments_of, place_of, tool_faults
from domain.tool.values import QUERY, Corpus, HttpTool, ProgramTool, PythonTool, ToolSpec

QUERY_FIELD = FieldSpec(name="query")
ID = UUID(int=1)


def python(**changes: Any) -> PythonTool:
    return PythonTool.model_validate(
        {
            "name": "search",
            "description": "Find articles.",
            "entry_point": "shop.tools:search",
            "arguments": [QUERY_FIELD],
            **changes,
        }
    )


def http(**changes: Any) -> HttpTool:
    return HttpTool.model_validate(
        {
            "name": "stock",
            "description": "How many there are.",
            "url": "https://api.shop.example/items/{item}",
            "arguments": [{"name": "item"}, {"name": "day"}],
            **changes,
        }
    )


def found(*tools: ToolSpec) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in tool_faults(tools, "/tools")]


def test_tools_without_a_fault_are_taken() -> None:
    corpus = Corpus(dataset_id=ID, field="text")
    others: list[Any] = [
        {"kind": "retriever", "name": "look_up", "description": "Look it up.", "corpus": corpus},
        {
            "kind": "program",
            "name": "worker",
            "description": "Ask it.",
            "program_id": ID,
            "program_version": 1,
        },
        {
            "kind": "mcp",
            "name": "files",
            "description": "Read a file.",
            "server": "files",
            "tool": "read-file",
        },
    ]
    parsed = [TypeAdapter[ToolSpec](ToolSpec).validate_python(each) for each in others]
    assert found(python(), http(), *parsed) == []
    assert [arguments_of(each) for each in parsed] == [(QUERY,), (), ()]


@pytest.mark.parametrize(
    ("tool", "faults"),
    [
        (python(name="finish"), [("/tools/0/name", "name.reserved")]),
        (python(name="submit"), [("/tools/0/name", "name.reserved")]),
        (python(name="import"), [("/tools/0/name", "name.reserved")]),
        (python(description=" \n"), [("/tools/0/description", "tool.undescribed")]),
        (python(description="a\x00"), [("/tools/0/description", "text.unsafe")]),
        (python(description="x" * 70_000), [("/tools/0/description", "text.too_long")]),
        (
            python(arguments=[{"name": "1st"}, {"name": "self"}, {"name": "class"}]),
            [
                ("/tools/0/arguments/0/name", "name.invalid"),
                ("/tools/0/arguments/1/name", "name.reserved"),
                ("/tools/0/arguments/2/name", "name.reserved"),
            ],
        ),
        (
            python(arguments=[QUERY_FIELD, QUERY_FIELD]),
            [("/tools/0/arguments/1/name", "name.repeated")],
        ),
        (python(arguments=[{"name": "history"}, {"name": "passages"}]), []),
        (http(url="https://api.shop.example/{what}"), [("/tools/0/url", "tool.unknown_argument")]),
        (http(places={"what": "query"}), [("/tools/0/places/what", "tool.unknown_argument")]),
        (http(places={"day": "body"}), [("/tools/0/places/day", "tool.place")]),
        (http(places={"day": "path"}), [("/tools/0/places/day", "tool.place")]),
        (http(places={"item": "query"}), [("/tools/0/places/item", "tool.place")]),
        (http(method="POST", places={"day": "body", "item": "path"}), []),
    ],
)
def test_a_fault_of_a_tool_is_pointed_at(tool: ToolSpec, faults: list[tuple[str, str]]) -> None:
    assert found(tool) == faults


@pytest.mark.parametrize(
    "url",
    [
        "shop.example/items",
        "ftp://shop.example/items",
        "https:///items",
        "https://shop.example:99999/",
        "https://[::1/",
        "https://ada:secret@shop.example/",
        "https://shop.example/#top",
        "https://shop.example/a b",
        "https://shop.example/grüße",
        "https://{item}.shop.example/",
        "https://shop.example:{item}/",
    ],
)
def test_an_address_that_is_none_or_leads_anywhere_is_refused(url: str) -> None:
    assert ("/tools/0/url", "tool.url") in found(http(url=url))


def test_the_names_of_the_tools_of_a_module_differ() -> None:
    assert found(python(), python()) == [("/tools/1/name", "tool.repeated")]


def test_a_module_has_a_bearable_number_of_tools() -> None:
    many = [python(name=f"tool_{number}") for number in range(MAX_TOOLS + 1)]
    assert [*tool_faults(many, "/tools")] == [
        Fault("/tools", "tools.too_many", f"A module has at most {MAX_TOOLS} tools.")
    ]


@pytest.mark.parametrize(
    ("tool", "places"),
    [
        (http(), ("path", "query")),
        (http(method="DELETE"), ("path", "query")),
        (http(method="POST"), ("path", "body")),
        (http(method="POST", places={"day": "query"}), ("path", "query")),
    ],
)
def test_an_argument_that_has_no_place_goes_where_the_method_has_it(
    tool: HttpTool, places: tuple[str, str]
) -> None:
    assert (place_of(tool, "item"), place_of(tool, "day")) == places


@pytest.mark.parametrize(
    "entry_point",
    ["shop.tools", "shop tools:x", "shop..tools:x", "shop:x.y", ":x", "shop:", "os:1"],
)
def test_an_entry_point_names_a_module_and_a_function(entry_point: str) -> None:
    with pytest.raises(ValidationError):
        python(entry_point=entry_point)


def test_a_program_that_is_a_tool_is_one_version() -> None:
    with pytest.raises(ValidationError):
        ProgramTool(name="worker", description="Ask.", program_id=ID, program_version=0)
