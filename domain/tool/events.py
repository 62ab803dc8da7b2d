"""Everything that can happen to a tool on the shelf, in the order of its life."""

from typing import ClassVar

from domain.kernel import Event
from domain.tool.values import ToolSpec


class ToolCreated(Event):
    TOPIC: ClassVar[str] = "tool.created"

    spec: ToolSpec


class ToolRetired(Event):
    TOPIC: ClassVar[str] = "tool.retired"

    reason: str


ToolEvent = ToolCreated | ToolRetired
