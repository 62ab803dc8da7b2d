"""What a webhook was after each of its events, and what each of them says in plain English."""

from collections.abc import Mapping
from typing import Any, assert_never
from uuid import UUID

from domain.kernel import Recorded
from domain.webhook.events import (
    WebhookDisabled,
    WebhookEvent,
    WebhookPaused,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookSubscribed,
)
from domain.webhook.values import WebhookStatus
from projections.webhooks import WebhookRow
from projections.words import Words, cause_of, many, plain, quoted


def webhook(before: WebhookRow | None, recorded: Recorded) -> WebhookRow:
    """The webhook after *recorded*; ``None`` is before its first event."""
    changes: Mapping[str, Any] = {}
    match recorded.event:
        case WebhookSubscribed() as subscribed:
            before = _begun(subscribed, recorded)
        case WebhookPaused(reason=reason):
            changes = _now(WebhookStatus.PAUSED, because=reason)
        case WebhookResumed():
            changes = _now(WebhookStatus.ACTIVE)
        case WebhookDisabled(failure=failure):
            changes = _now(WebhookStatus.DISABLED, failure=failure)
        case WebhookRemoved(reason=reason):
            changes = _now(WebhookStatus.REMOVED, because=reason)
        case WebhookSecretRotated(secret=secret):
            changes = {"secret": secret}
        case _:
            pass
    assert before is not None
    touched = {"version": recorded.originator_version, "updated_at": recorded.timestamp}
    return before.model_copy(update={**changes, **touched})


def said(id: UUID, event: WebhookEvent) -> Words:
    match event:
        case WebhookSubscribed(topics=topics):
            what = many(len(topics), "topic") if topics else "all that happens"
            return ("subscribed webhook ", id, f" to {what}")
        case WebhookPaused(reason=reason):
            return ("paused webhook ", id, f" because {quoted(reason)}")
        case WebhookResumed():
            return ("resumed webhook ", id)
        case WebhookDisabled(position=position, tries=tries, failure=failure):
            at = f" at event {position} after {many(tries, 'attempt')}"
            return ("disabled webhook ", id, f"{at} because {cause_of(failure)}")
        case WebhookSecretRotated(secret=secret):
            return ("gave webhook ", id, f" another secret, a {plain(secret.kind)} one")
        case WebhookRemoved(reason=reason):
            return ("removed webhook ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def _begun(subscribed: WebhookSubscribed, recorded: Recorded) -> WebhookRow:
    return WebhookRow(
        webhook_id=recorded.originator_id,
        version=recorded.originator_version,
        position=recorded.position or 0,
        name=subscribed.name,
        url=subscribed.url,
        topics=subscribed.topics,
        secret=subscribed.secret,
        after=subscribed.after,
        status=WebhookStatus.ACTIVE,
        because=None,
        failure=None,
        created_at=recorded.timestamp,
        created_by=recorded.envelope.actor,
        updated_at=recorded.timestamp,
    )


def _now(status: WebhookStatus, **why: object) -> Mapping[str, Any]:
    return {"status": status, "because": None, "failure": None, **why}
