"""The public form of a fact: what the feed tells, and what webhooks are sent."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from domain.kernel import Recorded


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


def public(recorded: Recorded) -> EventView:
    """*recorded* as everybody may see it who may see that it happened."""
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
