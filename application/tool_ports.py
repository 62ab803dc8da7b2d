"""How programs reach beyond their model, without the application knowing by what means."""

from typing import Protocol

from pydantic import JsonValue

from application.lm_ports import JsonObject
from domain.tool.values import HttpTool, McpTool, PythonTool
from domain.values import Failure

OutsideTool = PythonTool | HttpTool | McpTool
"""The tools that are neither another program nor a dataset."""


class ToolFailed(Exception):
    """A tool gave no result. The program is told why, in words that are always the same."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Toolbox(Protocol):
    """What carries out the calls of tools; safe to use from several threads."""

    def call(self, tool: OutsideTool, arguments: JsonObject) -> JsonValue:
        """Call *tool* with *arguments*, which fit it, and return what it gave.

        Raises:
            ToolFailed: It is not allowed here, not to be found, or it failed. Any other exception
                is a failure, too, of which the program is told no more than its kind and message.
        """
        ...


class KeyedToolbox(Protocol):
    """A toolbox for calls that may be made twice, as those of a workflow are after a crash."""

    def call(
        self, tool: OutsideTool, arguments: JsonObject, *, key: str | None = None
    ) -> JsonValue:
        """The same; a tool over HTTP is told *key*, by which it can know a repeat.

        Raises:
            ToolFailed: As above.
        """
        ...


class NoTools:
    """A process without tools: it refuses every call."""

    def call(
        self, tool: OutsideTool, arguments: JsonObject, *, key: str | None = None
    ) -> JsonValue:
        """Refuse.

        Raises:
            ToolFailed: Always, with the code ``tool.unavailable``.
        """
        del arguments, key
        message = f"Nothing here can call {tool.name}. Run the program on a worker."
        raise ToolFailed(Failure(code="tool.unavailable", message=message))
