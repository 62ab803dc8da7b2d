"""Functions of allowed packages as tools: imported when they are called, in workers only."""

import asyncio
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from pydantic import JsonValue, TypeAdapter
from pydantic_core import PydanticSerializationError

from application.lm_ports import JsonObject
from application.tool_ports import ToolFailed
from domain.tool.values import PythonTool
from domain.values import Failure

_ANYTHING: Final = TypeAdapter[Any](Any)


def call_python(tool: PythonTool, arguments: JsonObject, *, package: str | None) -> JsonValue:
    """Call the function that *tool* names; a coroutine is awaited.

    Of a *package* that is allowed as a whole, only functions that it defines itself are called:
    what it imports is no part of it.

    Raises:
        ToolFailed: There is no such function, or what it returned is not JSON.
    """
    function = _function(tool, package)
    try:
        result = function(**arguments)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except SystemExit as error:
        message = f"{tool.name} wanted to end the process."
        raise ToolFailed(Failure(code="tool.failed", message=message)) from error
    try:
        return _ANYTHING.dump_python(result, mode="json")  # type: ignore[no-any-return]  # as JSON
    except (PydanticSerializationError, ValueError) as error:
        message = f"{tool.name} returned a {type(result).__name__}, which is not JSON."
        raise ToolFailed(Failure(code="tool.result_invalid", message=message)) from error


def _function(tool: PythonTool, package: str | None) -> Callable[..., Any]:
    where, _, name = tool.entry_point.partition(":")
    try:
        found = getattr(import_module(where), name)
    except (Exception, SystemExit) as error:
        message = f"{tool.entry_point} cannot be imported here ({type(error).__name__})."
        raise ToolFailed(Failure(code="tool.unavailable", message=message)) from error
    if not callable(found):
        message = f"{tool.entry_point} is a {type(found).__name__}, not a function."
        raise ToolFailed(Failure(code="tool.unavailable", message=message))
    home = str(getattr(found, "__module__", ""))
    if package is not None and not f"{home}.".startswith(f"{package}."):
        message = f"{tool.entry_point} was imported from {home}, which is not allowed here."
        raise ToolFailed(Failure(code="tool.not_allowed", message=message))
    function: Callable[..., Any] = found
    return function
