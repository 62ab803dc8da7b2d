"""What is refused about tools, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar

from domain.errors import Fault, ForbiddenError


class ToolIsNotAllowed(ForbiddenError):
    """Whoever runs the service did not allow the tool; ``faults`` name every one."""

    code: ClassVar[str] = "tool.not_allowed"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message, faults)
