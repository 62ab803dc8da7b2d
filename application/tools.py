"""What people may ask of tools on the shelf: each command, and beneath it its handler."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator

from application.authorization import Permission
from application.commands import Command, handles
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from application.supplies import Supplies
from domain.program.needs import tool_needs
from domain.text import LongText, storable
from domain.tool.aggregate import Tool
from domain.tool.values import ToolSpec


class CreateTool(Command):
    """It is called as the model calls it."""

    tool_id: UUID
    spec: Annotated[ToolSpec, AfterValidator(storable)]


class RetireTool(Command):
    tool_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class ToolHandlers:
    tools: Repository[Tool]
    supplies: Supplies
    clock: Clock

    @handles(CreateTool, Permission.AUTHOR)
    def create(self, command: CreateTool) -> Receipt:
        self.supplies.check(tool_needs(command.spec, "/spec"))
        tool = Tool.create(command.tool_id, command.spec, at=self.clock.now())
        return self.tools.save(tool, claim=Claim(Tool.KIND, command.spec.name, tool.id))

    @handles(RetireTool, Permission.AUTHOR)
    def retire(self, command: RetireTool) -> Receipt:
        tool = self.tools.get(command.tool_id)
        tool.expect(command.expected_version)
        tool.retire(command.reason, at=self.clock.now())
        return self.tools.save(tool)
