"""Webhooks over HTTP: where what happens is sent, and how far that got."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response, status
from pydantic import Field

from application.authorization import Permission
from application.errors import AggregateNotFound
from application.ports import Receipt
from application.webhooks import (
    PauseWebhook,
    Position,
    RemoveWebhook,
    ResumeWebhook,
    RotateWebhookSecret,
    SubscribeWebhook,
)
from domain.text import Name
from domain.tool.values import ServerName
from domain.webhook.events import WebhookSecretRotated, WebhookSubscribed
from domain.webhook.values import KeptSecret, TopicPattern, WebhookStatus, WebhookUrl
from infrastructure.api.bodies import Body, NewThing, Retirement
from infrastructure.api.dependencies import (
    Expected,
    IdOrName,
    Reading,
    Writer,
    Writing,
    id_or,
    wish,
)
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import webhooks as read_model
from projections.topics import matching
from projections.webhooks import DeliveryRow, WebhookRow

KIND = "webhook"
PATH = "/v1/webhooks"
routes = router(PATH, "webhooks", needs=Permission.SUBSCRIBE)

Signer = Annotated[
    ServerName | None,
    Field(description="A secret of the service by name; without one, one is made and told once."),
]


class NewWebhook(NewThing):
    """Where to send what happens."""

    name: Name
    url: WebhookUrl
    topics: tuple[TopicPattern, ...] = Field(
        default=(),
        max_length=100,
        description="What is sent, such as `program.deployed` or `execution.*`; all without any.",
    )
    secret: Signer = None
    after: Position | None = Field(
        default=None, description="Begin after this position; with what happens next if left out."
    )


class Rotation(Body):
    """What to sign with from now on."""

    secret: Signer = None


class Signed(Written):
    """What a write did, and the secret that it made: it is told now, and never again."""

    secret: str | None = Field(description="Null for one that the service keeps under a name.")


class WebhookView(WebhookRow):
    """A webhook, and how far its deliveries got."""

    delivery: DeliveryRow | None = Field(description="Null before the first one.")


@routes.post("", status_code=status.HTTP_201_CREATED)
async def subscribe_webhook(body: NewWebhook, desk: Writing, response: Response) -> Signed:
    """Have events sent to an address, each at least once, in their order, signed."""
    matching(body.topics)
    webhook_id = desk.new_id(KIND, body.id)
    values = body.model_dump(exclude={"id"})
    receipt = await desk.dispatch(wish(SubscribeWebhook, webhook_id=webhook_id, **values))
    return await _signed(desk, receipt, response)


@routes.get("")
async def list_webhooks(
    desk: Reading,
    hook_status: Annotated[WebhookStatus | None, Query(alias="status")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[WebhookRow]:
    """List webhooks, newest first; removed ones only if they are asked for."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.webhooks(
                store, tenant=desk.tenant, status=hook_status, limit=limit, after=after
            )
        )
    )


@routes.get("/{webhook}")
async def get_webhook(webhook: IdOrName, desk: Reading, response: Response) -> WebhookView:
    """Read one webhook, and how far its deliveries got."""
    wanted = id_or(webhook)
    row = await desk.read(lambda store: read_model.webhook(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    store, found = desk.deps.store, row.webhook_id
    delivery = await desk.run(lambda: read_model.delivery(store, found, tenant=desk.tenant))
    tag(response, row.version)
    return WebhookView(**dict(row), delivery=delivery)


@routes.post("/{webhook}/pause")
async def pause_webhook(
    webhook: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Send nothing until it is resumed."""
    command = PauseWebhook(
        webhook_id=await desk.id_of(KIND, webhook), expected_version=expected, reason=body.reason
    )
    return _done(await desk.dispatch(command), response)


@routes.post("/{webhook}/resume")
async def resume_webhook(
    webhook: IdOrName, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Go on where the deliveries were, be it paused or disabled: nothing is left out."""
    command = ResumeWebhook(webhook_id=await desk.id_of(KIND, webhook), expected_version=expected)
    return _done(await desk.dispatch(command), response)


@routes.post("/{webhook}/rotate")
async def rotate_webhook_secret(
    webhook: IdOrName, body: Rotation, desk: Writing, expected: Expected, response: Response
) -> Signed:
    """Sign with another secret from now on. What the receiver refuses meanwhile is sent again."""
    command = RotateWebhookSecret(
        webhook_id=await desk.id_of(KIND, webhook), expected_version=expected, secret=body.secret
    )
    return await _signed(desk, await desk.dispatch(command), response)


@routes.post("/{webhook}/remove")
async def remove_webhook(
    webhook: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Send nothing more, for good. It stays readable."""
    command = RemoveWebhook(
        webhook_id=await desk.id_of(KIND, webhook), expected_version=expected, reason=body.reason
    )
    return _done(await desk.dispatch(command), response)


def _done(receipt: Receipt, response: Response) -> Written:
    return written(response, receipt, f"{PATH}/{receipt.id}")


async def _signed(desk: Writer, receipt: Receipt, response: Response) -> Signed:
    done = written(response, receipt, f"{PATH}/{receipt.id}")
    secret = await desk.run(lambda: _secret(desk, receipt.id, receipt.version))
    return Signed(**done.model_dump(), secret=secret)


def _secret(desk: Writer, id: UUID, version: int) -> str | None:
    """The secret that the event with *version* made. Blocks."""
    event = desk.history(KIND, id)[version - 1].event
    assert isinstance(event, WebhookSubscribed | WebhookSecretRotated)
    if isinstance(event.secret, KeptSecret):
        return str(desk.deps.payloads.get(event.secret.text))
    return None
