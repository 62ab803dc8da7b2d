"""A webhook: where facts of the log are sent, which of them, and how they are signed."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.tool.rules import url_faults
from domain.values import Failure
from domain.webhook.errors import InvalidWebhook, WebhookForbids
from domain.webhook.events import (
    WebhookDisabled,
    WebhookEvent,
    WebhookPaused,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookSubscribed,
)
from domain.webhook.values import SigningSecret, WebhookStatus


class Webhook(Aggregate[WebhookEvent]):
    """active ⇄ paused or disabled; then removed, for good."""

    KIND: ClassVar[str] = "webhook"

    name: str
    url: str
    topics: tuple[str, ...]
    secret: SigningSecret

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.status = WebhookStatus.ACTIVE

    @classmethod
    def subscribe(
        cls,
        id: UUID,
        name: str,
        url: str,
        *,
        topics: tuple[str, ...],
        secret: SigningSecret,
        after: int | None,
        at: datetime,
    ) -> Self:
        """Have events sent to *url*.

        Raises:
            InvalidWebhook: It is no address that anything could be sent to.
        """
        if faults := list(url_faults(url, "/url")):
            raise InvalidWebhook(faults)
        event = WebhookSubscribed(name=name, url=url, topics=topics, secret=secret, after=after)
        return cls.begin(id, event, at=at)

    def pause(self, reason: str, *, at: datetime) -> None:
        """Send nothing until it is resumed. A second time changes nothing."""
        self._require_there("pause")
        if self.status is not WebhookStatus.PAUSED:
            self.record(WebhookPaused(reason=reason), at=at)

    def resume(self, *, at: datetime) -> None:
        """Send what happened since, and what happens. An active one is left as it is."""
        self._require_there("resume")
        if self.status is not WebhookStatus.ACTIVE:
            self.record(WebhookResumed(), at=at)

    def disable(self, failure: Failure, *, position: int, tries: int, at: datetime) -> None:
        """Send nothing more: what lies at *position* was refused too long. Else nothing changes."""
        if self.status is WebhookStatus.ACTIVE:
            event = WebhookDisabled(position=position, tries=tries, failure=failure)
            self.record(event, at=at)

    def rotate(self, secret: SigningSecret, *, at: datetime) -> None:
        """Sign with another *secret* from now on."""
        self._require_there("rotate")
        self.record(WebhookSecretRotated(secret=secret), at=at)

    def remove(self, reason: str, *, at: datetime) -> None:
        """Send nothing more, for good. A second time changes nothing."""
        if self.status is not WebhookStatus.REMOVED:
            self.record(WebhookRemoved(reason=reason), at=at)

    def _require_there(self, action: str) -> None:
        if self.status is WebhookStatus.REMOVED:
            raise WebhookForbids(self.id, self.status, action)

    def evolve(self, event: WebhookEvent) -> None:
        match event:
            case WebhookSubscribed():
                self.name, self.url, self.topics = event.name, event.url, event.topics
                self.secret = event.secret
            case WebhookPaused():
                self.status = WebhookStatus.PAUSED
            case WebhookResumed():
                self.status = WebhookStatus.ACTIVE
            case WebhookDisabled():
                self.status = WebhookStatus.DISABLED
            case WebhookSecretRotated(secret=secret):
                self.secret = secret
            case WebhookRemoved():
                self.status = WebhookStatus.REMOVED
            case _:
                assert_never(event)
