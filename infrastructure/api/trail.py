"""What happened and who is answerable for it, over HTTP: the audit trail, page by page."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AwareDatetime, Field

from application.authorization import Permission
from infrastructure.api.dependencies import Reading
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, encode
from infrastructure.api.route import router
from projections.audit_trail import AuditRow, Filters, audit
from projections.topics import matching

routes = router("/v1/audit", "trail", needs=Permission.AUDIT)

Topics = Annotated[
    list[str],
    Query(
        alias="topic",
        max_length=64,
        description="Only these topics; repeatable. `program.*` is all that happens to programs.",
        examples=["program.deployed"],
    ),
]


class AuditView(PageView[AuditRow]):
    """Some rows in order. Send ``next`` or ``previous`` as ``cursor`` for those beside them."""

    previous: str | None = Field(description="The cursor of the page before; null on the first.")


async def filters(
    actor: Annotated[
        str | None, Query(description="Only what they did, or what was done on their behalf.")
    ] = None,
    aggregate: Annotated[
        str | None, Query(description="Only about a kind of thing.", examples=["program"])
    ] = None,
    aggregate_id: Annotated[UUID | None, Query(description="Only about one thing.")] = None,
    topic: Topics = [],  # noqa: B006 - FastAPI copies the default
    command: Annotated[
        str | None, Query(description="Only by a command.", examples=["DeployProgram"])
    ] = None,
    correlation_id: Annotated[UUID | None, Query(description="Only for one reason.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Recorded then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Recorded before then.")] = None,
) -> Filters:
    """What the trail is narrowed to.

    Raises:
        TopicIsUnknown: Nothing that happens is called so.
    """
    return Filters(
        actor=actor,
        aggregate=aggregate,
        aggregate_id=aggregate_id,
        topics=matching(topic),
        command=command,
        correlation_id=correlation_id,
        since=since,
        until=until,
    )


Only = Annotated[Filters, Depends(filters)]


@routes.get("")
async def read_audit(
    desk: Reading,
    only: Only,
    order: Literal["newest", "oldest"] = "newest",
    limit: Limit = LIMIT,
    cursor: After = None,
) -> AuditView:
    """Read the audit trail: one sentence an event, and who is answerable for it."""
    after = decode(cursor)
    page = await desk.read(
        lambda store: audit(
            store, tenant=desk.tenant, order=order, limit=limit, after=after, **only
        )
    )
    return AuditView(items=page.rows, next=encode(page.next), previous=encode(page.previous))
