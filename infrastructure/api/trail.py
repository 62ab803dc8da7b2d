"""What happened, over HTTP: the audit trail, the public feed of events, and what models cost."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field, JsonValue

from domain.kernel import Recorded
from infrastructure.api.dependencies import Reading
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, encode, shown
from infrastructure.api.route import router
from projections.audit_trail import AuditRow, audit
from projections.kernel import ReadStore
from projections.lm_calls import RunKind
from projections.lm_usage import LmUsageRow, LmUsageSums, lm_usage, lm_usage_total

routes = router("/v1", "trail")


class EventView(BaseModel):
    """A fact as it was recorded, in its envelope."""

    position: int = Field(description="Its place in the log. Later facts have greater ones.")
    event_id: UUID
    topic: str = Field(description="What happened.", examples=["program.deployed"])
    schema_version: int = Field(description="The shape of ``data``.")
    aggregate: str = Field(description="The kind of thing it happened to.")
    aggregate_id: UUID
    aggregate_version: int
    at: datetime
    actor: str
    command: str
    command_id: str
    correlation_id: UUID
    causation_id: UUID | None
    data: dict[str, JsonValue] = Field(description="Texts are named by digest, not told.")


class EventFeed(BaseModel):
    """Facts in order. Ask again with ``after=<next>``, also when there were none."""

    items: tuple[EventView, ...]
    next: int = Field(description="The position to go on after.")


class UsageView(BaseModel):
    """What models were used for, by day, run, program, model and predictor; and the sum of all."""

    items: tuple[LmUsageRow, ...]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    total: LmUsageSums


@routes.get("/audit")
async def read_audit(
    desk: Reading,
    actor: Annotated[str | None, Query(description="Only what they did.")] = None,
    aggregate: Annotated[
        str | None, Query(description="Only about a kind of thing.", examples=["program"])
    ] = None,
    aggregate_id: Annotated[UUID | None, Query(description="Only about one thing.")] = None,
    correlation_id: Annotated[UUID | None, Query(description="Only for one reason.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before then.")] = None,
    order: Literal["newest", "oldest"] = "newest",
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[AuditRow]:
    """Read the audit trail: one sentence an event, and who is answerable for it."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: audit(
                store,
                tenant=desk.tenant,
                actor=actor,
                aggregate=aggregate,
                aggregate_id=aggregate_id,
                correlation_id=correlation_id,
                since=since,
                until=until,
                order=order,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/events")
async def read_events(
    desk: Reading,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Only later positions.")] = 0,
    limit: Limit = LIMIT,
) -> EventFeed:
    """Follow the log: every fact of the tenant once, in order, from a position on."""
    found = await desk.run(lambda: desk.deps.events(after, limit, desk.tenant))
    items = tuple(_shown(each) for each in found)
    return EventFeed(items=items, next=items[-1].position if items else after)


@routes.get("/usage")
async def read_usage(
    desk: Reading,
    since: Annotated[date | None, Query(description="From this day on, in UTC.")] = None,
    until: Annotated[date | None, Query(description="Before this day, in UTC.")] = None,
    program_id: Annotated[UUID | None, Query(description="Only of a program.")] = None,
    model: Annotated[str | None, Query(description="Only of a model.")] = None,
    run: Annotated[RunKind | None, Query(description="Only of this kind of run.")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> UsageView:
    """See calls, tokens and cost, newest days first."""
    after = decode(cursor)

    def query(store: ReadStore) -> UsageView:
        page = lm_usage(
            store,
            tenant=desk.tenant,
            since=since,
            until=until,
            program_id=program_id,
            model=model,
            run=run,
            limit=limit,
            after=after,
        )
        total = lm_usage_total(
            store,
            tenant=desk.tenant,
            since=since,
            until=until,
            program_id=program_id,
            model=model,
            run=run,
        )
        return UsageView(items=page.rows, next=encode(page.next), total=total)

    return await desk.read(query)


def _shown(recorded: Recorded) -> EventView:
    envelope, event = recorded.envelope, recorded.event
    return EventView(
        position=recorded.position or 0,
        event_id=envelope.event_id,
        topic=event.TOPIC,
        schema_version=event.VERSION,
        aggregate=event.TOPIC.partition(".")[0],
        aggregate_id=recorded.originator_id,
        aggregate_version=recorded.originator_version,
        at=recorded.timestamp,
        actor=envelope.actor,
        command=envelope.command,
        command_id=envelope.command_id,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        data=event.model_dump(mode="json"),
    )
