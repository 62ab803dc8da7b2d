"""Modules over HTTP: a signature with a way to ask for it, for programs to take up."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response, status
from pydantic import Field

from application.errors import AggregateNotFound
from application.modules import ConfigureModule, CreateModule, ModuleSettings, RetireModule
from domain.module.parameters import KindParameters
from domain.module.values import ModuleKind
from domain.text import Name, SafeText
from infrastructure.api.bodies import Body, NewThing, Retirement
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import modules as read_model
from projections.modules import ModuleRow

KIND = "module"
PATH = "/v1/modules"
routes = router(PATH, "modules")


class NewModule(NewThing):
    """A module of a signature; what the settings leave out is as its kind has it."""

    name: Name
    kind: ModuleKind
    signature_id: UUID | None = None
    signature_revision: Annotated[
        int | None, Field(ge=1, description="The revision to freeze; else the present one.")
    ] = None
    signature: Annotated[
        SafeText | None,
        Field(
            description="Instead of an id: a signature written in place. It is found by what it "
            "says, or made.",
            examples=["question -> answer"],
        ),
    ] = None
    config: ModuleSettings = ModuleSettings()
    parameters: Annotated[
        KindParameters, Field(description="What the kind takes; else as it has it.")
    ] = None
    tools: Annotated[
        tuple[UUID, ...], Field(max_length=50, description="Tools on the shelf, to be copied.")
    ] = ()


class NewSettings(Body):
    """Settings to change; what they leave out stays."""

    config: ModuleSettings


@routes.post("", status_code=status.HTTP_201_CREATED)
async def create_module(body: NewModule, desk: Writing, response: Response) -> Written:
    """Create a module. It freezes a revision of its signature."""
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    receipt = await desk.dispatch(
        wish(CreateModule, module_id=desk.new_id(KIND, body.id), **values)
    )
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_modules(
    desk: Reading,
    name: Annotated[str | None, Query(description="Only those called so.")] = None,
    signature_id: Annotated[UUID | None, Query(description="Only those of a signature.")] = None,
    retired: Annotated[bool, Query(description="Those that were retired, instead.")] = False,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[ModuleRow]:
    """List modules, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.modules(
                store,
                tenant=desk.tenant,
                name=name,
                signature_id=signature_id,
                retired=retired,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{module}")
async def get_module(module: IdOrName, desk: Reading, response: Response) -> ModuleRow:
    """Read one module, by id or name, retired or not."""
    wanted = id_or(module)
    row = await desk.read(lambda store: read_model.module(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.post("/{module}/configure")
async def configure_module(
    module: IdOrName, body: NewSettings, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Change settings. Programs keep the copy they froze."""
    module_id = await desk.id_of(KIND, module)
    values = body.model_dump(exclude_unset=True)
    command = wish(ConfigureModule, module_id=module_id, expected_version=expected, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{module_id}")


@routes.post("/{module}/retire")
async def retire_module(
    module: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Take a module out of service. It stays readable."""
    module_id = await desk.id_of(KIND, module)
    command = wish(
        RetireModule, module_id=module_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{module_id}")
