"""The life of a webhook."""

from collections.abc import Callable, Iterator

import pytest

from domain.values import Failure
from domain.webhook.aggregate import Webhook
from domain.webhook.errors import InvalidWebhook, WebhookForbids
from domain.webhook.events import (
    WebhookDisabled,
    WebhookPaused,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookSubscribed,
)
from domain.webhook.values import NamedSecret, WebhookStatus
from tests.support.scenario import NOW, Scenario, told

SECRET, OTHER = NamedSecret(name="crm"), NamedSecret(name="new")
URL = "https://crm.example/in"
SUBSCRIBED = WebhookSubscribed(name="crm", url=URL, topics=("a.b",), secret=SECRET, after=3)
GONE = Failure(code="webhook.refused", message="The receiver answered 410.")
DISABLED = WebhookDisabled(position=9, tries=2, failure=GONE)
REMOVED = WebhookRemoved(reason="It is gone.")


@pytest.fixture
def webhook() -> Iterator[Scenario[Webhook]]:
    yield from told(Webhook)


def test_a_webhook_is_subscribed_to_some_topics(webhook: Scenario[Webhook]) -> None:
    made = webhook.when_begun(
        lambda new: Webhook.subscribe(
            new, "crm", URL, topics=("a.b",), secret=SECRET, after=3, at=NOW
        )
    ).then(SUBSCRIBED)
    assert (made.url, made.topics, made.secret) == (URL, ("a.b",), SECRET)


@pytest.mark.parametrize(
    "url", ["ftp://crm.example", "https://ann:pw@crm.example", "https://x y", "crm.example"]
)
def test_what_is_no_address_is_refused(webhook: Scenario[Webhook], url: str) -> None:
    error = webhook.when_begun(
        lambda new: Webhook.subscribe(new, "crm", url, topics=(), secret=SECRET, after=None, at=NOW)
    ).then_refused(InvalidWebhook)
    assert [fault.pointer for fault in error.faults] == ["/url"]


def test_it_is_paused_and_resumed_once(webhook: Scenario[Webhook]) -> None:
    paused = (
        webhook.given(SUBSCRIBED)
        .when(lambda it: it.pause("It moves.", at=NOW))
        .then(WebhookPaused(reason="It moves."))
    )
    paused.pause("Again.", at=NOW)
    assert paused.collect() == ()
    paused.resume(at=NOW)
    paused.resume(at=NOW)
    assert [each.event for each in paused.collect()] == [WebhookResumed()]
    assert paused.status is WebhookStatus.ACTIVE


def test_it_is_disabled_while_it_is_active_and_resumed_by_a_person(
    webhook: Scenario[Webhook],
) -> None:
    disabled = (
        webhook.given(SUBSCRIBED)
        .when(lambda it: it.disable(GONE, position=9, tries=2, at=NOW))
        .then(DISABLED)
    )
    disabled.disable(GONE, position=9, tries=3, at=NOW)
    assert disabled.collect() == ()
    disabled.resume(at=NOW)
    assert [each.event for each in disabled.collect()] == [WebhookResumed()]


def test_its_secret_is_another_one_from_now_on(webhook: Scenario[Webhook]) -> None:
    rotated = webhook.given(SUBSCRIBED).when(lambda it: it.rotate(OTHER, at=NOW))
    assert rotated.then(WebhookSecretRotated(secret=OTHER)).secret == OTHER


def test_it_is_removed_for_good(webhook: Scenario[Webhook]) -> None:
    gone = webhook.given(SUBSCRIBED).when(lambda it: it.remove("It is gone.", at=NOW)).then(REMOVED)
    gone.remove("Again.", at=NOW)
    assert gone.collect() == ()
    acts: tuple[Callable[[Webhook], None], ...] = (
        lambda it: it.resume(at=NOW),
        lambda it: it.pause("Why not.", at=NOW),
        lambda it: it.rotate(OTHER, at=NOW),
    )
    for act in acts:
        with pytest.raises(WebhookForbids, match="Subscribe a new one"):
            act(gone)
