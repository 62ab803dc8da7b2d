"""Webhooks are subscribed where events may be sent, and signed by a secret that is told once."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.commands import Command, CommandBus
from application.context import within
from application.feed import public
from application.ports import Receipt
from application.webhooks import (
    DisableWebhook,
    PauseWebhook,
    RemoveWebhook,
    ResumeWebhook,
    RotateWebhookSecret,
    SubscribeWebhook,
)
from domain.errors import StaleVersion
from domain.values import Failure
from domain.webhook.aggregate import Webhook
from domain.webhook.errors import InvalidWebhook, SecretIsUnknown, WebhookIsNotAllowed
from domain.webhook.events import WebhookSubscribed
from domain.webhook.values import KeptSecret, NamedSecret, WebhookStatus
from tests.support.memory import FixedClock, MemoryLog, MemoryRepository
from tests.support.payloads import MemoryPayloads
from tests.support.run_world import CONTEXT
from tests.support.sagas import webhook_handlers

URL = "https://hooks.example.com/in"


@dataclass
class Scene:
    payloads: MemoryPayloads = field(default_factory=MemoryPayloads)

    def __post_init__(self) -> None:
        self.log = MemoryLog(inline=(self.payloads.inline,))
        self.webhooks = MemoryRepository(Webhook, self.log)
        self.bus = CommandBus(webhook_handlers(self.log, FixedClock()))

    def do(self, command: Command) -> Receipt:
        return self.bus.dispatch(command, CONTEXT)

    def subscribed(self, **more: Any) -> UUID:
        body = {"webhook_id": uuid4(), "name": "crm", "url": URL, **more}
        return self.do(SubscribeWebhook.model_validate(body)).id

    def of(self, id: UUID) -> Webhook:
        with within(CONTEXT):
            return self.webhooks.get(id)

    def secret(self, id: UUID) -> object:
        """The text of the secret that signs now."""
        secret = self.of(id).secret
        assert isinstance(secret, KeptSecret)
        with within(CONTEXT):
            return self.payloads.get(secret.text)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_secret_is_made_and_lies_beside_the_log(scene: Scene) -> None:
    made = scene.subscribed(topics=["execution.*"], after=7)
    assert scene.secret(made) == "whsec_1"
    [recorded] = scene.log.stream(made)
    assert isinstance(recorded.event, WebhookSubscribed)
    assert (recorded.event.topics, recorded.event.after) == (("execution.*",), 7)
    assert "whsec_1" not in public(recorded).model_dump_json()


def test_a_secret_of_the_service_is_named(scene: Scene) -> None:
    made = scene.subscribed(secret="crm")
    assert scene.of(made).secret == NamedSecret(name="crm")
    with pytest.raises(SecretIsUnknown, match="STRATAL_WEBHOOK_SECRETS"):
        scene.subscribed(secret="other")


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/in", "https://localhost/in", "https://169.254.169.254/"]
)
def test_events_are_sent_where_that_is_allowed_and_nowhere_else(scene: Scene, url: str) -> None:
    with pytest.raises(WebhookIsNotAllowed) as refused:
        scene.subscribed(url=url)
    assert [fault.pointer for fault in refused.value.faults] == ["/url"]
    with pytest.raises(InvalidWebhook):
        scene.subscribed(url="mailto:ann")


def test_another_secret_signs_from_now_on(scene: Scene) -> None:
    made = scene.subscribed()
    scene.do(RotateWebhookSecret(webhook_id=made))
    assert scene.secret(made) == "whsec_2"
    scene.do(RotateWebhookSecret(webhook_id=made, secret="crm"))
    assert scene.of(made).secret == NamedSecret(name="crm")


def test_it_is_paused_resumed_disabled_and_removed(scene: Scene) -> None:
    made = scene.subscribed()
    failure = Failure(code="webhook.refused", message="No.")
    steps: list[tuple[Command, WebhookStatus]] = [
        (PauseWebhook(webhook_id=made, expected_version=1), WebhookStatus.PAUSED),
        (ResumeWebhook(webhook_id=made), WebhookStatus.ACTIVE),
        (
            DisableWebhook(webhook_id=made, position=3, tries=9, failure=failure),
            WebhookStatus.DISABLED,
        ),
        (RemoveWebhook(webhook_id=made), WebhookStatus.REMOVED),
    ]
    for command, status in steps:
        scene.do(command)
        assert scene.of(made).status is status
    with pytest.raises(StaleVersion):
        scene.do(PauseWebhook(webhook_id=made, expected_version=1))
