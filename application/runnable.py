"""Which version of a program a command means, and all that is needed to run it."""

from typing import ClassVar
from uuid import UUID

from domain.program.aggregate import Program

from application.lm_ports import JsonObject, RunnableProgram
from application.ports import PayloadStore
from domain.errors import ConflictError
from domain.program.values import Stage


class ProgramCannotRun(ConflictError):
    code: ClassVar[str] = "program.retired_cannot_run"

    def __init__(self, program_id: UUID) -> None:
        super().__init__(f"Program {program_id} is retired and runs no more. Use another program.")
        self.program_id = program_id


def resolve_version(program: Program, wanted: int | None) -> int:
    """The version to run: the one *wanted*, else the deployed one, else the latest.

    Raises:
        ProgramCannotRun: The program is retired.
        NotFoundError: It has no such version.
    """
    if program.stage is Stage.RETIRED:
        raise ProgramCannotRun(program.id)
    if wanted is None:
        return program.deployed_version or program.latest_version
    program.version_state(wanted)
    return wanted


def runnable(program: Program, version: int, payloads: PayloadStore) -> RunnableProgram:
    """Version *version* of *program*, with the state an optimizer found for it.

    Raises:
        PayloadIsMissing: The state was erased.
    """
    ref = program.version_state(version)
    state = None if ref is None else json_object(payloads.get(ref))
    return RunnableProgram(f"{program.id}@{version}", program.graph, state)


def json_object(content: object) -> JsonObject:
    """*content*, which was stored as a JSON object."""
    assert isinstance(content, dict)
    return content
