"""A tool on the shelf, from which modules take copies."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.tool.errors import InvalidTool, ToolIsRetired
from domain.tool.events import ToolCreated, ToolEvent, ToolRetired
from domain.tool.rules import own_faults
from domain.tool.values import ToolSpec


class Tool(Aggregate[ToolEvent]):
    KIND: ClassVar[str] = "tool"

    spec: ToolSpec

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.is_retired = False

    @classmethod
    def create(cls, id: UUID, spec: ToolSpec, *, at: datetime) -> Self:
        """Put a tool on the shelf. It never changes: modules pin copies of it.

        Raises:
            InvalidTool: No module could use it; the error names every fault.
        """
        if faults := list(own_faults(spec, "/spec")):
            raise InvalidTool(faults)
        return cls.begin(id, ToolCreated(spec=spec), at=at)

    def retire(self, reason: str, *, at: datetime) -> None:
        """Take it off the shelf; modules keep their copies. A second time changes nothing."""
        if not self.is_retired:
            self.record(ToolRetired(reason=reason), at=at)

    def require_in_service(self) -> None:
        """Refuse to go on with a retired tool.

        Raises:
            ToolIsRetired: Choose another one.
        """
        if self.is_retired:
            raise ToolIsRetired(self.id)

    def evolve(self, event: ToolEvent) -> None:
        match event:
            case ToolCreated(spec=spec):
                self.spec = spec
            case ToolRetired():
                self.is_retired = True
            case _:
                assert_never(event)
