"""The tools of a worker: each kind carried out by its own means, and only what is allowed."""

from collections.abc import Mapping
from typing import assert_never

from pydantic import JsonValue

from application.lm_ports import JsonObject
from application.tool_ports import OutsideTool, ToolFailed
from domain.tool.allowance import Allowance
from domain.tool.values import HttpTool, McpTool, PythonTool
from domain.values import Failure
from infrastructure.tools.http import HttpCaller, Secret
from infrastructure.tools.mcp import McpServer
from infrastructure.tools.python import call_python


class WorkerToolbox:
    """Calls tools as far as *allowance* lets them; *secrets* and MCP *servers* have names."""

    def __init__(
        self,
        allowance: Allowance,
        secrets: Mapping[str, Secret] | None = None,
        servers: Mapping[str, McpServer] | None = None,
    ) -> None:
        self._allowance = allowance
        self._http = HttpCaller(allowance, secrets or {})
        self._servers = servers or {}

    def call(
        self, tool: OutsideTool, arguments: JsonObject, *, key: str | None = None
    ) -> JsonValue:
        """Call *tool* with *arguments*, which fit it; over HTTP with *key* for a repeat.

        Raises:
            ToolFailed: It is not allowed here, not to be found, or it failed.
        """
        # What was allowed when the program was written may not be any more.
        if reason := next(self._allowance.refusals(tool), None):
            raise ToolFailed(Failure(code="tool.not_allowed", message=reason))
        match tool:
            case PythonTool():
                return call_python(tool, arguments, package=self._package(tool))
            case HttpTool():
                return self._http.call(tool, arguments, key)
            case McpTool():
                return self._servers[tool.server].call(tool, arguments)
            case _:
                assert_never(tool)

    def _package(self, tool: PythonTool) -> str | None:
        """The package to which *tool* is held; ``None`` if the function itself is allowed."""
        if tool.entry_point in self._allowance.entry_points:
            return None
        return self._allowance.package_of(tool.entry_point)
