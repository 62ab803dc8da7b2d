"""One row for each provider of language models; beside them, which one is the tenant's default."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.kernel import Event, Recorded
from domain.provider.events import (
    DefaultProviderChosen,
    DefaultProviderCleared,
    ProviderChanged,
    ProviderDisabled,
    ProviderEnabled,
    ProviderKeyRotated,
    ProviderRegistered,
)
from domain.provider.values import OfferedModel, ProviderKind
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select


class ProviderRow(Row):
    provider_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was registered; newer ones are greater.")
    name: str
    kind: ProviderKind
    base_url: str | None = Field(description="Where it is asked; null where all of its kind are.")
    secret: str | None = Field(description="Where its key is kept; the key is nowhere here.")
    models: tuple[OfferedModel, ...] = Field(description="The first one answers by default.")
    is_default: bool = Field(description="Whether it answers where nothing else is said.")
    disabled_at: datetime | None
    disabled_because: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime


class Providers(Projection):
    name: ClassVar[str] = "providers"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE provider (
            tenant           text NOT NULL,
            provider_id      uuid NOT NULL,
            version          bigint NOT NULL,
            position         bigint NOT NULL,
            name             text NOT NULL,
            kind             text NOT NULL,
            base_url         text,
            secret           text,
            models           json NOT NULL,
            disabled_at      timestamptz,
            disabled_because text,
            created_at       timestamptz NOT NULL,
            created_by       text NOT NULL,
            updated_at       timestamptz NOT NULL,
            PRIMARY KEY (tenant, provider_id)
        );
        CREATE INDEX provider_newest ON provider (tenant, position);
        CREATE INDEX provider_name ON provider (tenant, name);
        CREATE TABLE provider_default (
            tenant      text NOT NULL,
            provider_id uuid,
            position    bigint NOT NULL,
            PRIMARY KEY (tenant)
        );
    """
    events: ClassVar[tuple[type[Event], ...]] = (
        ProviderRegistered,
        ProviderChanged,
        ProviderKeyRotated,
        ProviderDisabled,
        ProviderEnabled,
        DefaultProviderChosen,
        DefaultProviderCleared,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case ProviderRegistered() as told:
                columns = row(
                    recorded,
                    name=told.name,
                    kind=told.kind.value,
                    base_url=told.base_url,
                    secret=told.secret,
                    models=_models(told.models),
                )
                yield Write(_REGISTER, columns)
            case ProviderChanged(base_url=base_url, models=models):
                columns = row(recorded, base_url=base_url, models=_models(models))
                yield Write(_CHANGE, columns)
            case ProviderKeyRotated(secret=secret):
                yield Write(_ROTATE, row(recorded, secret=secret))
            case ProviderDisabled(reason=reason):
                yield Write(_DISABLE, row(recorded, reason=reason))
            case ProviderEnabled():
                yield Write(_ENABLE, row(recorded))
            case DefaultProviderChosen(provider_id=provider_id):
                yield Write(_DEFAULT, row(recorded, provider=provider_id))
            case DefaultProviderCleared():
                yield Write(_DEFAULT, row(recorded, provider=None))
            case _:
                pass


def _models(models: Iterable[OfferedModel]) -> str | None:
    return document([each.model_dump(mode="json") for each in models])


def providers(
    store: ReadStore,
    *,
    tenant: str,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[ProviderRow]:
    """The newest providers first, disabled ones among them."""
    select = Select(_SELECT, of=Providers, tenant=tenant)
    return select.page(store, ProviderRow, NEWEST_FIRST, limit=limit, after=after)


def provider(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> ProviderRow | None:
    """One provider, disabled or not."""
    select = Select(_SELECT, of=Providers, tenant=tenant).called("provider_id", id_or_name)
    return select.first(store, ProviderRow, order="position")


_SELECT: LiteralString = """
    SELECT provider_id, version, position, name, kind, base_url, secret, models,
           EXISTS (SELECT FROM provider_default AS d WHERE d.tenant = provider.tenant
                   AND d.provider_id = provider.provider_id) AS is_default,
           disabled_at, disabled_because, created_at, created_by, updated_at
    FROM provider WHERE tenant = %(tenant)s"""
_REGISTER: LiteralString = """
    INSERT INTO provider (tenant, provider_id, version, position, name, kind, base_url, secret,
                          models, created_at, created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(kind)s, %(base_url)s,
            %(secret)s, %(models)s, %(at)s, %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""
_CHANGE: LiteralString = """
    UPDATE provider SET version = %(version)s, updated_at = %(at)s, base_url = %(base_url)s,
           models = %(models)s
    WHERE tenant = %(tenant)s AND provider_id = %(id)s AND version < %(version)s"""
_ROTATE: LiteralString = """
    UPDATE provider SET version = %(version)s, updated_at = %(at)s, secret = %(secret)s
    WHERE tenant = %(tenant)s AND provider_id = %(id)s AND version < %(version)s"""
_DISABLE: LiteralString = """
    UPDATE provider SET version = %(version)s, updated_at = %(at)s, disabled_at = %(at)s,
           disabled_because = %(reason)s
    WHERE tenant = %(tenant)s AND provider_id = %(id)s AND version < %(version)s"""
_ENABLE: LiteralString = """
    UPDATE provider SET version = %(version)s, updated_at = %(at)s, disabled_at = NULL,
           disabled_because = NULL
    WHERE tenant = %(tenant)s AND provider_id = %(id)s AND version < %(version)s"""
_DEFAULT: LiteralString = """
    INSERT INTO provider_default (tenant, provider_id, position)
    VALUES (%(tenant)s, %(provider)s, %(position)s)
    ON CONFLICT (tenant) DO UPDATE SET provider_id = excluded.provider_id,
        position = excluded.position
    WHERE provider_default.position < excluded.position"""
