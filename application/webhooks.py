"""What people may ask of webhooks: each command, and beneath it its handler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field, PositiveInt

from application.authorization import Permission
from application.commands import Command, handles
from application.payloads import Payload
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from domain.text import LongText, Name
from domain.tool.allowance import Allowance
from domain.tool.values import ServerName
from domain.values import Failure
from domain.webhook.aggregate import Webhook
from domain.webhook.errors import SecretIsUnknown, WebhookIsNotAllowed
from domain.webhook.values import (
    KeptSecret,
    NamedSecret,
    SigningSecret,
    TopicPattern,
    WebhookUrl,
)

Position = Annotated[int, Field(ge=0, lt=2**63)]


class SubscribeWebhook(Command):
    """Without ``topics`` every event is sent; without a ``secret`` by name one is made."""

    webhook_id: UUID
    name: Name
    url: WebhookUrl
    topics: Annotated[tuple[TopicPattern, ...], Field(max_length=100)] = ()
    secret: ServerName | None = None
    after: Position | None = None


class PauseWebhook(Command):
    webhook_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class ResumeWebhook(Command):
    webhook_id: UUID
    expected_version: int | None = None


class RotateWebhookSecret(Command):
    """Sign with the secret of that name, or with a new one."""

    webhook_id: UUID
    secret: ServerName | None = None
    expected_version: int | None = None


class RemoveWebhook(Command):
    webhook_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class DisableWebhook(Command):
    """Whoever delivers gives up."""

    webhook_id: UUID
    position: PositiveInt
    tries: PositiveInt
    failure: Failure


@dataclass(frozen=True, slots=True)
class WebhookHandlers:
    """``allowance`` is where events may be sent; ``secrets`` are the names of those there are."""

    webhooks: Repository[Webhook]
    allowance: Allowance
    secrets: frozenset[str]
    new_secret: Callable[[], str]
    clock: Clock

    @handles(SubscribeWebhook, Permission.SUBSCRIBE)
    def subscribe(self, command: SubscribeWebhook) -> Receipt:
        secret, texts = self._secret(command.secret)
        webhook = Webhook.subscribe(
            command.webhook_id,
            command.name,
            command.url,
            topics=command.topics,
            secret=secret,
            after=command.after,
            at=self.clock.now(),
        )
        if self.allowance.reach_of(command.url) is None:
            raise WebhookIsNotAllowed(command.url)
        claim = Claim(Webhook.KIND, command.name, webhook.id)
        return self.webhooks.save(webhook, payloads=texts, claim=claim)

    @handles(PauseWebhook, Permission.SUBSCRIBE)
    def pause(self, command: PauseWebhook) -> Receipt:
        webhook = self._expected(command)
        webhook.pause(command.reason, at=self.clock.now())
        return self.webhooks.save(webhook)

    @handles(ResumeWebhook, Permission.SUBSCRIBE)
    def resume(self, command: ResumeWebhook) -> Receipt:
        webhook = self._expected(command)
        webhook.resume(at=self.clock.now())
        return self.webhooks.save(webhook)

    @handles(RotateWebhookSecret, Permission.SUBSCRIBE)
    def rotate(self, command: RotateWebhookSecret) -> Receipt:
        webhook = self._expected(command)
        secret, texts = self._secret(command.secret)
        webhook.rotate(secret, at=self.clock.now())
        return self.webhooks.save(webhook, payloads=texts)

    @handles(RemoveWebhook, Permission.SUBSCRIBE)
    def remove(self, command: RemoveWebhook) -> Receipt:
        webhook = self._expected(command)
        webhook.remove(command.reason, at=self.clock.now())
        return self.webhooks.save(webhook)

    @handles(DisableWebhook, Permission.WORK)
    def disable(self, command: DisableWebhook) -> Receipt:
        webhook = self.webhooks.get(command.webhook_id)
        webhook.disable(
            command.failure,
            position=command.position,
            tries=command.tries,
            at=self.clock.now(),
        )
        return self.webhooks.save(webhook)

    def _expected(
        self, command: PauseWebhook | ResumeWebhook | RotateWebhookSecret | RemoveWebhook
    ) -> Webhook:
        webhook = self.webhooks.get(command.webhook_id)
        webhook.expect(command.expected_version)
        return webhook

    def _secret(self, name: str | None) -> tuple[SigningSecret, list[Payload]]:
        """The secret of that *name*, or a new one with its text."""
        if name is None:
            text = Payload.of(self.new_secret())
            return KeptSecret(text=text.ref), [text]
        if name not in self.secrets:
            raise SecretIsUnknown(name)
        return NamedSecret(name=name), []
