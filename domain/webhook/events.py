"""Everything that can happen to a webhook. What is delivered to it is no event: that is the log."""

from typing import Annotated, ClassVar

from pydantic import Field

from domain.kernel import Event
from domain.values import Failure
from domain.webhook.values import SigningSecret, TopicPattern, WebhookUrl


class WebhookSubscribed(Event):
    """``topics`` are those that are delivered, all without any. ``after`` is a position of the log.

    Without a position, what happens from now on is delivered.
    """

    TOPIC: ClassVar[str] = "webhook.subscribed"

    name: str
    url: WebhookUrl
    topics: tuple[TopicPattern, ...]
    secret: SigningSecret
    after: Annotated[int, Field(ge=0)] | None


class WebhookPaused(Event):
    TOPIC: ClassVar[str] = "webhook.paused"

    reason: str


class WebhookResumed(Event):
    """Deliveries go on where they were."""

    TOPIC: ClassVar[str] = "webhook.resumed"


class WebhookDisabled(Event):
    """Nobody took the event at ``position`` for too long, or the receiver said that it is gone."""

    TOPIC: ClassVar[str] = "webhook.disabled"

    position: Annotated[int, Field(ge=1)]
    tries: Annotated[int, Field(ge=1)]
    failure: Failure


class WebhookSecretRotated(Event):
    TOPIC: ClassVar[str] = "webhook.secret_rotated"

    secret: SigningSecret


class WebhookRemoved(Event):
    TOPIC: ClassVar[str] = "webhook.removed"

    reason: str


WebhookEvent = (
    WebhookSubscribed
    | WebhookPaused
    | WebhookResumed
    | WebhookDisabled
    | WebhookSecretRotated
    | WebhookRemoved
)
