"""One row for each webhook; beside it lies how far its deliveries got, which is no read model."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.values import Failure
from domain.webhook.events import (
    WebhookDisabled,
    WebhookPaused,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookSubscribed,
)
from domain.webhook.values import SigningSecret, WebhookStatus
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select


class WebhookRow(Row):
    webhook_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was subscribed; newer ones are greater.")
    name: str
    url: str
    topics: tuple[str, ...] = Field(description="Those that are sent; all without any.")
    secret: SigningSecret = Field(description="What signs; a kept one is named by digest.")
    after: int | None = Field(description="Where it was asked to begin, if not with itself.")
    status: WebhookStatus
    because: str | None = Field(description="Why it is paused or removed.")
    failure: Failure | None = Field(description="Why it is disabled.")
    created_at: datetime
    created_by: str
    updated_at: datetime


class DeliveryRow(Row):
    """How far the deliveries of a webhook got."""

    position: int = Field(description="All up to it was taken, or is none of its topics.")
    delivered: int = Field(description="How many events were taken.")
    delivered_at: datetime | None = Field(description="When the last one was taken.")
    tries: int = Field(description="How often the next one was refused so far.")
    failing_since: datetime | None
    next_at: datetime | None = Field(description="When it is tried again.")
    failure: Failure | None = Field(description="What went wrong last.")


class Subscription(Row):
    """What whoever delivers needs to know of an active webhook."""

    tenant: str
    webhook_id: UUID
    url: str
    topics: tuple[str, ...]
    secret: SigningSecret
    begins_after: int


class Webhooks(Projection):
    name: ClassVar[str] = "webhooks"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE webhook (
            tenant     text NOT NULL,
            webhook_id uuid NOT NULL,
            version    bigint NOT NULL,
            position   bigint NOT NULL,
            name       text NOT NULL,
            url        text NOT NULL,
            topics     json NOT NULL,
            secret     json NOT NULL,
            after      bigint,
            status     text NOT NULL,
            because    text,
            failure    json,
            created_at timestamptz NOT NULL,
            created_by text NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (tenant, webhook_id)
        );
        CREATE INDEX webhook_newest ON webhook (tenant, position);
        CREATE INDEX webhook_name ON webhook (tenant, name, position);
        CREATE INDEX webhook_active ON webhook (tenant, webhook_id) WHERE status = 'active';
    """
    events: ClassVar[tuple[type[Event], ...]] = (
        WebhookSubscribed,
        WebhookPaused,
        WebhookResumed,
        WebhookDisabled,
        WebhookSecretRotated,
        WebhookRemoved,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case WebhookSubscribed() as subscribed:
                columns = row(
                    recorded,
                    name=subscribed.name,
                    url=subscribed.url,
                    topics=document([*subscribed.topics]),
                    secret=document(subscribed.secret),
                    after=subscribed.after,
                )
                yield Write(_SUBSCRIBE, columns)
            case WebhookPaused(reason=reason):
                yield Write(_STATUS, _now(recorded, WebhookStatus.PAUSED, because=reason))
            case WebhookResumed():
                yield Write(_STATUS, _now(recorded, WebhookStatus.ACTIVE))
            case WebhookDisabled(failure=failure):
                columns = _now(recorded, WebhookStatus.DISABLED, failure=document(failure))
                yield Write(_STATUS, columns)
            case WebhookRemoved(reason=reason):
                yield Write(_STATUS, _now(recorded, WebhookStatus.REMOVED, because=reason))
            case WebhookSecretRotated(secret=secret):
                yield Write(_ROTATE, row(recorded, secret=document(secret)))
            case _:
                pass


def _now(
    recorded: Recorded,
    status: WebhookStatus,
    *,
    because: str | None = None,
    failure: str | None = None,
) -> dict[str, object]:
    return row(recorded, status=status.value, because=because, failure=failure)


def webhooks(
    store: ReadStore,
    *,
    tenant: str,
    status: WebhookStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[WebhookRow]:
    """The newest webhooks first; those that were removed only if they are asked for."""
    select = Select(_SELECT, of=Webhooks, tenant=tenant)
    select.where("status = %(status)s", status=status and status.value)
    if status is None:
        select.where("status <> 'removed'")
    return select.page(store, WebhookRow, NEWEST_FIRST, limit=limit, after=after)


def webhook(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> WebhookRow | None:
    """One webhook, removed or not."""
    select = Select(_SELECT, of=Webhooks, tenant=tenant).called("webhook_id", id_or_name)
    return select.first(store, WebhookRow, order="status <> 'removed' DESC, position DESC")


def delivery(store: ReadStore, webhook_id: UUID, *, tenant: str) -> DeliveryRow | None:
    """How far the deliveries of a webhook got; ``None`` before the first one was thought of."""
    found = store.rows(_DELIVERY, {"tenant": tenant, "id": webhook_id})
    return DeliveryRow.model_validate(dict(found[0])) if found else None


def active_webhooks(store: ReadStore) -> Sequence[Subscription]:
    """The active webhooks of every tenant: for whoever delivers, and nobody else."""
    return [Subscription.model_validate(dict(each)) for each in store.rows(_ACTIVE, {})]


_SELECT: LiteralString = """
    SELECT webhook_id, version, position, name, url, topics, secret, after, status, because,
           failure, created_at, created_by, updated_at
    FROM webhook WHERE tenant = %(tenant)s"""
_DELIVERY: LiteralString = """
    SELECT position, delivered, delivered_at, tries, failing_since,
           CASE WHEN tries > 0 THEN next_at END AS next_at, failure
    FROM stratal.webhook_cursors WHERE tenant = %(tenant)s AND webhook_id = %(id)s"""
_ACTIVE: LiteralString = """
    SELECT tenant, webhook_id, url, topics, secret, coalesce(after, position) AS begins_after
    FROM webhook WHERE status = 'active'"""
_SUBSCRIBE: LiteralString = """
    INSERT INTO webhook (tenant, webhook_id, version, position, name, url, topics, secret, after,
                         status, created_at, created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(url)s, %(topics)s,
            %(secret)s, %(after)s, 'active', %(at)s, %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""
_STATUS: LiteralString = """
    UPDATE webhook SET version = %(version)s, updated_at = %(at)s, status = %(status)s,
           because = %(because)s, failure = %(failure)s
    WHERE tenant = %(tenant)s AND webhook_id = %(id)s AND version < %(version)s"""
_ROTATE: LiteralString = """
    UPDATE webhook SET version = %(version)s, updated_at = %(at)s, secret = %(secret)s
    WHERE tenant = %(tenant)s AND webhook_id = %(id)s AND version < %(version)s"""
