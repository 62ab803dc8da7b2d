"""What is refused about tools, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, ForbiddenError, InvalidError


class ToolIsNotAllowed(ForbiddenError):
    """Whoever runs the service did not allow the tool; ``faults`` name every one."""

    code: ClassVar[str] = "tool.not_allowed"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message, faults)


class InvalidTool(InvalidError):
    """No module could use the tool; ``faults`` point into it."""

    code: ClassVar[str] = "tool.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This tool cannot be used: {faults[0].message}", faults)


class ToolIsRetired(ConflictError):
    code: ClassVar[str] = "tool.retired"

    def __init__(self, tool_id: UUID) -> None:
        super().__init__(f"Tool {tool_id} is retired. Create another, or use one in service.")
        self.tool_id = tool_id
