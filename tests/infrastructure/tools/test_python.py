"""Functions as tools: of allowed packages only, and never what those import."""

from pathlib import Path
from typing import Any

import pytest

from application.tool_ports import NoTools, ToolFailed
from domain.signature.fields import FieldSpec
from domain.tool.allowance import Allowance
from domain.tool.values import McpTool, PythonTool
from infrastructure.tools.toolbox import WorkerToolbox

MODULE = "tests.infrastructure.tools.functions"
BOX = WorkerToolbox(Allowance(entry_points=frozenset({MODULE})))
ARGUMENTS = {"query": "cats"}


def tool(function: str, module: str = MODULE) -> PythonTool:
    return PythonTool(
        name="search",
        description="Find articles.",
        entry_point=f"{module}:{function}",
        arguments=(FieldSpec(name="query"),),
    )


@pytest.mark.feature("MOD-25")
def test_mod_25_a_function_of_an_allowed_package_is_called_with_its_arguments() -> None:
    assert BOX.call(tool("search"), {**ARGUMENTS, "limit": 2}) == ["cats 0", "cats 1"]


def test_a_coroutine_is_awaited_and_what_json_cannot_say_is_written_out() -> None:
    assert BOX.call(tool("later"), ARGUMENTS) == {"query": "cats", "day": "2030-01-01"}


@pytest.mark.parametrize(
    ("function", "code", "said"),
    [
        ("absent", "tool.unavailable", "cannot be imported"),
        ("NOTHING", "tool.unavailable", "is a NoneType, not a function"),
        ("imported_run", "tool.not_allowed", "was imported from subprocess"),
        ("_private", "tool.not_allowed", "is not allowed here"),
        ("unspeakable", "tool.result_invalid", "returned a object, which is not JSON"),
        ("leaves", "tool.failed", "wanted to end the process"),
    ],
)
def test_what_cannot_be_called_says_why(function: str, code: str, said: str) -> None:
    with pytest.raises(ToolFailed, match=said) as failed:
        BOX.call(tool(function), ARGUMENTS)
    assert failed.value.failure.code == code


def test_what_a_function_raises_is_told_by_who_called_the_tool() -> None:
    with pytest.raises(ValueError, match="cats"):
        BOX.call(tool("fails"), ARGUMENTS)


def test_a_function_that_is_allowed_by_its_own_name_may_come_from_anywhere() -> None:
    named = WorkerToolbox(Allowance(entry_points=frozenset({f"{MODULE}:imported_run"})))
    with pytest.raises(TypeError):
        named.call(tool("imported_run"), ARGUMENTS)


@pytest.mark.feature("MOD-25")
@pytest.mark.parametrize("module", ["os", "tests.infrastructure", f"{MODULE}s"])
def test_mod_25_what_is_not_allowed_any_more_is_not_imported(module: str) -> None:
    with pytest.raises(ToolFailed) as failed:
        BOX.call(tool("search", module), ARGUMENTS)
    assert failed.value.failure.code == "tool.not_allowed"


def test_a_module_that_is_gone_is_a_failure_of_the_tool() -> None:
    gone: Any = WorkerToolbox(Allowance(entry_points=frozenset({"shop.gone"})))
    with pytest.raises(ToolFailed, match=r"shop\.gone:search cannot be imported here"):
        gone.call(tool("search", "shop.gone"), ARGUMENTS)


@pytest.mark.parametrize("error", ["SystemExit", "RuntimeError"])
def test_a_module_that_fails_when_it_is_imported_is_a_failure_of_the_tool(
    error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"shop_that_raises_{error.lower()}"
    (tmp_path / f"{package}.py").write_text(f"raise {error}")
    monkeypatch.syspath_prepend(str(tmp_path))
    box = WorkerToolbox(Allowance(entry_points=frozenset({package})))
    with pytest.raises(ToolFailed, match=rf"{package}:search cannot be imported here \({error}\)"):
        box.call(tool("search", package), ARGUMENTS)


def test_a_server_that_nobody_configured_is_not_reached() -> None:
    read = McpTool(name="read", description="Read a file.", server="files", tool="read")
    with pytest.raises(ToolFailed, match="There is no MCP server files here"):
        BOX.call(read, {})


def test_a_process_without_tools_calls_none() -> None:
    with pytest.raises(ToolFailed, match="Run the program on a worker"):
        NoTools().call(tool("search"), ARGUMENTS)
