"""Tools over HTTP: what agents may call, for modules to take copies of."""

from typing import Annotated

from fastapi import Query, Response, status

from application.errors import AggregateNotFound
from application.tools import CreateTool, RetireTool
from domain.tool.values import ToolSpec
from infrastructure.api.bodies import NewThing, Retirement
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import tools as read_model
from projections.tools import ToolRow

KIND = "tool"
PATH = "/v1/tools"
routes = router(PATH, "tools")


class NewTool(NewThing):
    """A tool; it is called as the model calls it."""

    spec: ToolSpec


@routes.post("", status_code=status.HTTP_201_CREATED)
async def create_tool(body: NewTool, desk: Writing, response: Response) -> Written:
    """Create a tool. It never changes; modules that name it freeze a copy."""
    values = body.model_dump(exclude={"id"})
    receipt = await desk.dispatch(wish(CreateTool, tool_id=desk.new_id(KIND, body.id), **values))
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_tools(
    desk: Reading,
    name: Annotated[str | None, Query(description="Only those called so.")] = None,
    retired: Annotated[bool, Query(description="Those that were retired, instead.")] = False,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[ToolRow]:
    """List tools, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.tools(
                store, tenant=desk.tenant, name=name, retired=retired, limit=limit, after=after
            )
        )
    )


@routes.get("/{tool}")
async def get_tool(tool: IdOrName, desk: Reading, response: Response) -> ToolRow:
    """Read one tool, by id or name, retired or not."""
    wanted = id_or(tool)
    row = await desk.read(lambda store: read_model.tool(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.post("/{tool}/retire")
async def retire_tool(
    tool: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Take a tool out of service. It stays readable, and modules keep their copies."""
    tool_id = await desk.id_of(KIND, tool)
    command = wish(RetireTool, tool_id=tool_id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{tool_id}")
