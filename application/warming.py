"""Having what went live built before anybody asks for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from application.authorization import Permission
from application.commands import Command, handles
from application.lm_ports import Engine
from application.ports import Receipt, Repository
from application.supplies import Supplies
from domain.kernel import Recorded
from domain.program.aggregate import Program
from domain.program.events import ProgramDeployed


class WarmProgram(Command):
    """Each worker does it for itself. It is no fact, so it leaves no event."""

    program_id: UUID


def warming(recorded: Recorded) -> Iterable[WarmProgram]:
    """What workers do at once after *recorded*."""
    if isinstance(recorded.event, ProgramDeployed):
        yield WarmProgram(program_id=recorded.originator_id)


@dataclass(frozen=True, slots=True)
class WarmingHandlers:
    programs: Repository[Program]
    supplies: Supplies
    engine: Engine

    @handles(WarmProgram, Permission.WORK)
    def warm(self, command: WarmProgram) -> Receipt:
        """Build the version that is live now.

        Raises:
            ProgramFailed: It cannot be built; whoever runs it will be told.
        """
        program = self.programs.get(command.program_id)
        if program.deployed_version is not None:
            self.engine.create_program(self.supplies.runnable(program.id, program.deployed_version))
        return Receipt(program.id, program.version, 0)
