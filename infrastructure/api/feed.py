"""The public feed over HTTP: every fact of a tenant once, in order, from a position on."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field, JsonValue

from domain.kernel import Recorded
from infrastructure.api.dependencies import Reading
from infrastructure.api.pages import LIMIT, Limit
from infrastructure.api.route import router

routes = router("/v1/events", "trail")


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


@routes.get("")
async def read_events(
    desk: Reading,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Only later positions.")] = 0,
    limit: Limit = LIMIT,
) -> EventFeed:
    """Follow the log: every fact of the tenant once, in order, from a position on."""
    found = await desk.run(lambda: desk.deps.events(after, limit, desk.tenant))
    items = tuple(_shown(each) for each in found)
    return EventFeed(items=items, next=items[-1].position if items else after)


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
