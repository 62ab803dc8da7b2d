"""Commands that left no event, over HTTP: what was refused, to whom and why."""

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime

from application.authorization import Permission
from infrastructure.api.dependencies import ReadingNow
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections.attempts import AttemptRow, Outcome, attempts

routes = router("/v1/audit", "trail", needs=Permission.AUDIT)


@routes.get("/attempts")
async def list_attempts(
    desk: ReadingNow,
    actor: Annotated[str | None, Query(description="Only what they asked for.")] = None,
    command: Annotated[
        str | None, Query(description="Only a command.", examples=["DeployProgram"])
    ] = None,
    operation: Annotated[
        str | None, Query(description="Only what came by a route.", examples=["POST /v1/programs"])
    ] = None,
    aggregate_id: Annotated[UUID | None, Query(description="Only about one thing.")] = None,
    outcome: Annotated[Outcome | None, Query(description="Only what ended so.")] = None,
    code: Annotated[
        str | None, Query(description="Only refusals for a reason.", examples=["name.taken"])
    ] = None,
    correlation_id: Annotated[UUID | None, Query(description="Only one request.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Kept then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Kept before then.")] = None,
    order: Literal["newest", "oldest"] = "newest",
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[AttemptRow]:
    """List commands that left no event: refused ones, and those that found all so already.

    They lie beside the log, and the oldest are dropped when there are many of a tenant's.
    """
    query = partial(
        attempts,
        desk.deps.store,
        tenant=desk.tenant,
        order=order,
        limit=limit,
        after=decode(cursor),
        actor=actor,
        command=command,
        operation=operation,
        aggregate_id=aggregate_id,
        outcome=outcome,
        code=code,
        correlation_id=correlation_id,
        since=since,
        until=until,
    )
    return shown(await desk.run(query))
