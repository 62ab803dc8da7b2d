"""What programs are called and set to over HTTP, and their way into the archive and back."""

from fastapi import Response
from pydantic import Field

from application.programs import (
    ArchiveProgram,
    ConfigureProgram,
    DescribeProgram,
    RenameProgram,
    RestoreProgram,
)
from application.reasons import NO_REASON
from domain.text import JsonObject, LongText, Name
from infrastructure.api.bodies import Body
from infrastructure.api.dependencies import Expected, IdOrName, Writing, wish
from infrastructure.api.etags import Written, written
from infrastructure.api.programs import KIND, PATH
from infrastructure.api.route import router

routes = router(PATH, "programs")


class NewName(Body):
    """Another name. The former one leads to the program still."""

    name: Name


class NewDescription(Body):
    """What it is for."""

    description: LongText | None = Field(description="null takes the description away.")


class NewConfig(Body):
    """Settings besides its versions; what is left out stays."""

    config: JsonObject | None = None
    default_optimizer: str | None = None


class Archiving(Body):
    """Why it is put away."""

    reason: LongText = NO_REASON


@routes.post("/{program}/rename")
async def rename_program(
    program: IdOrName, body: NewName, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Call a program otherwise. Its former name leads to it still; nobody else can take it."""
    program_id = await desk.id_of(KIND, program)
    command = wish(
        RenameProgram, program_id=program_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/describe")
async def describe_program(
    program: IdOrName, body: NewDescription, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Say what a program is for."""
    program_id = await desk.id_of(KIND, program)
    command = wish(
        DescribeProgram, program_id=program_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/configure")
async def configure_program(
    program: IdOrName, body: NewConfig, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Set the config or the default optimizer of a program; what is left out stays."""
    program_id = await desk.id_of(KIND, program)
    values = body.model_dump(exclude_unset=True)
    command = wish(ConfigureProgram, program_id=program_id, expected_version=expected, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/archive")
async def archive_program(
    program: IdOrName, body: Archiving, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Put a program away. Nothing runs of it until it is restored."""
    program_id = await desk.id_of(KIND, program)
    command = wish(
        ArchiveProgram, program_id=program_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/restore")
async def restore_program(
    program: IdOrName, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Take a program out of the archive, as it was."""
    program_id = await desk.id_of(KIND, program)
    command = wish(RestoreProgram, program_id=program_id, expected_version=expected)
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")
