"""Providers of language models over HTTP: which models there are, and where they are asked."""

from typing import Annotated

from fastapi import Response, status
from pydantic import Field

from application.authorization import Permission
from application.errors import AggregateNotFound
from application.ports import Receipt
from application.providers import (
    ChangeProvider,
    ChooseDefaultProvider,
    DisableProvider,
    EnableProvider,
    RegisterProvider,
    RotateProviderKey,
)
from domain.provider.aggregate import Provider
from domain.provider.values import BaseUrl, OfferedModels, ProviderKind, SecretRef
from domain.text import Name
from infrastructure.api.bodies import Body, NewThing, Retirement
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import providers as read_model
from projections.providers import ProviderRow

KIND = Provider.KIND
PATH = "/v1/providers"
routes = router(PATH, "providers", needs=Permission.READ)

Url = Annotated[
    BaseUrl | None,
    Field(description="Where it is asked, if not where all of its kind are; with its version."),
]
Offered = Annotated[
    OfferedModels,
    Field(description="The first one answers by default; openai has gpt-4 without any."),
]


class NewProvider(NewThing):
    """Where which models are asked."""

    name: Name
    kind: ProviderKind
    base_url: Url = None
    secret: SecretRef | None = None
    models: Offered = ()


class ChangedProvider(Body):
    """Everything that can be changed, also what stays."""

    base_url: Url = None
    models: Offered = ()


class NewKey(Body):
    """Which key calls are made with from now on."""

    secret: SecretRef


@routes.post("", status_code=status.HTTP_201_CREATED)
async def register_provider(body: NewProvider, desk: Writing, response: Response) -> Written:
    """Register a provider. Its key stays with the workers: name the variable it is in."""
    provider_id = desk.new_id(KIND, body.id)
    command = wish(RegisterProvider, provider_id=provider_id, **body.model_dump(exclude={"id"}))
    return _done(await desk.dispatch(command), response)


@routes.get("")
async def list_providers(
    desk: Reading, limit: Limit = LIMIT, cursor: After = None
) -> PageView[ProviderRow]:
    """List providers, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.providers(store, tenant=desk.tenant, limit=limit, after=after)
        )
    )


@routes.get("/{provider}")
async def get_provider(provider: IdOrName, desk: Reading, response: Response) -> ProviderRow:
    """Read one provider."""
    wanted = id_or(provider)
    row = await desk.read(lambda store: read_model.provider(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.post("/{provider}/change")
async def change_provider(
    provider: IdOrName,
    body: ChangedProvider,
    desk: Writing,
    expected: Expected,
    response: Response,
) -> Written:
    """Ask it elsewhere, or offer other models; name everything, also what stays."""
    provider_id = await desk.id_of(KIND, provider)
    values = body.model_dump()
    command = wish(ChangeProvider, provider_id=provider_id, expected_version=expected, **values)
    return _done(await desk.dispatch(command), response)


@routes.post("/{provider}/rotate")
async def rotate_provider_key(
    provider: IdOrName, body: NewKey, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Make calls with another key from now on; calls under way end with the one they have."""
    command = RotateProviderKey(
        provider_id=await desk.id_of(KIND, provider),
        secret=body.secret,
        expected_version=expected,
    )
    return _done(await desk.dispatch(command), response)


@routes.post("/{provider}/disable")
async def disable_provider(
    provider: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Ask it nothing more until it is enabled."""
    command = DisableProvider(
        provider_id=await desk.id_of(KIND, provider),
        reason=body.reason,
        expected_version=expected,
    )
    return _done(await desk.dispatch(command), response)


@routes.post("/{provider}/enable")
async def enable_provider(
    provider: IdOrName, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Let it be asked again."""
    command = EnableProvider(
        provider_id=await desk.id_of(KIND, provider), expected_version=expected
    )
    return _done(await desk.dispatch(command), response)


@routes.post("/{provider}/default")
async def choose_default_provider(provider: IdOrName, desk: Writing, response: Response) -> Written:
    """Have it answer where nothing else is said; the one that did before does no longer."""
    provider_id = await desk.id_of(KIND, provider)
    receipt = await desk.dispatch(ChooseDefaultProvider(provider_id=provider_id))
    return written(response, receipt, f"{PATH}/{provider_id}")


@routes.delete("/default")
async def clear_default_provider(desk: Writing, response: Response) -> Written:
    """Have the model of the workers answer again where nothing else is said."""
    receipt = await desk.dispatch(ChooseDefaultProvider(provider_id=None))
    return written(response, receipt, PATH)


def _done(receipt: Receipt, response: Response) -> Written:
    return written(response, receipt, f"{PATH}/{receipt.id}")
