"""A provider of language models, and the tenant's choice of the one that answers by default."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID, uuid5

from domain.kernel import Aggregate
from domain.provider.errors import InvalidProvider, ModelIsNotOffered, ProviderIsDisabled
from domain.provider.events import (
    DefaultProviderChosen,
    DefaultProviderCleared,
    DefaultProviderEvent,
    ProviderChanged,
    ProviderDisabled,
    ProviderEnabled,
    ProviderEvent,
    ProviderKeyRotated,
    ProviderRegistered,
)
from domain.provider.rules import models_of, name_faults, provider_faults
from domain.provider.values import OfferedModel, ProviderKind

_DEFAULTS = UUID("6c1f6a5e-6a0e-4d55-9a4f-0d2b3a4f8b52")


class Provider(Aggregate[ProviderEvent]):
    """Its name and its kind are for good; so what names a model always names the same one."""

    KIND: ClassVar[str] = "provider"

    name: str
    kind: ProviderKind
    base_url: str | None
    secret: str | None
    models: tuple[OfferedModel, ...]

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.is_disabled = False

    @classmethod
    def register(
        cls,
        id: UUID,
        name: str,
        kind: ProviderKind,
        *,
        base_url: str | None,
        secret: str | None,
        models: Sequence[OfferedModel],
        at: datetime,
    ) -> Self:
        """Have models asked at a provider.

        Raises:
            InvalidProvider: It could not be asked; every fault is named.
        """
        offered = models_of(kind, models)
        told = provider_faults(kind, base_url, secret, offered)
        if faults := [*name_faults(name), *told]:
            raise InvalidProvider(faults)
        event = ProviderRegistered(
            name=name, kind=kind, base_url=base_url, secret=secret, models=offered
        )
        return cls.begin(id, event, at=at)

    def change(self, *, base_url: str | None, models: Sequence[OfferedModel], at: datetime) -> None:
        """Ask elsewhere, or offer other models, from now on. The same again changes nothing.

        Raises:
            InvalidProvider: It could not be asked; every fault is named.
        """
        offered = models_of(self.kind, models)
        if faults := list(provider_faults(self.kind, base_url, self.secret, offered)):
            raise InvalidProvider(faults)
        if (base_url, offered) != (self.base_url, self.models):
            self.record(ProviderChanged(base_url=base_url, models=offered), at=at)

    def rotate(self, secret: str, *, at: datetime) -> None:
        """Make calls with another key from now on.

        It is recorded though the reference may be the same: what it refers to may be new.

        Raises:
            InvalidProvider: Its kind takes none.
        """
        if faults := list(provider_faults(self.kind, self.base_url, secret, self.models)):
            raise InvalidProvider(faults)
        self.record(ProviderKeyRotated(secret=secret), at=at)

    def disable(self, reason: str, *, at: datetime) -> None:
        """Ask it nothing more until it is enabled. A second time changes nothing."""
        if not self.is_disabled:
            self.record(ProviderDisabled(reason=reason), at=at)

    def enable(self, *, at: datetime) -> None:
        """Let it be asked again. One that can be is left as it is."""
        if self.is_disabled:
            self.record(ProviderEnabled(), at=at)

    def require_enabled(self) -> None:
        """Make sure that it may be asked.

        Raises:
            ProviderIsDisabled: It may not.
        """
        if self.is_disabled:
            raise ProviderIsDisabled(self.id, self.name)

    def model(self, name: str | None) -> OfferedModel:
        """The model of that *name*, or the first one.

        Raises:
            ModelIsNotOffered: There is none of that name.
        """
        if name is None:
            return self.models[0]
        found = next((each for each in self.models if each.name == name), None)
        if found is None:
            raise ModelIsNotOffered(self.name, name, [each.name for each in self.models])
        return found

    def evolve(self, event: ProviderEvent) -> None:
        match event:
            case ProviderRegistered():
                self.name, self.kind = event.name, event.kind
                self.base_url, self.secret = event.base_url, event.secret
                self.models = event.models
            case ProviderChanged():
                self.base_url, self.models = event.base_url, event.models
            case ProviderKeyRotated(secret=secret):
                self.secret = secret
            case ProviderDisabled():
                self.is_disabled = True
            case ProviderEnabled():
                self.is_disabled = False
            case _:
                assert_never(event)


class DefaultProvider(Aggregate[DefaultProviderEvent]):
    """Which provider answers by default: one stream for each tenant, so there is never a second."""

    KIND: ClassVar[str] = "default_provider"

    provider_id: UUID | None = None

    @staticmethod
    def id_of(tenant: str) -> UUID:
        """The id of the tenant's choice."""
        return uuid5(_DEFAULTS, tenant)

    def choose(self, provider_id: UUID, *, at: datetime) -> None:
        """Have that provider answer from now on. The same again changes nothing."""
        if self.provider_id != provider_id:
            self.record(DefaultProviderChosen(provider_id=provider_id), at=at)

    def clear(self, *, at: datetime) -> None:
        """Have the model of the workers answer again. A second time changes nothing."""
        if self.provider_id is not None:
            self.record(DefaultProviderCleared(), at=at)

    def evolve(self, event: DefaultProviderEvent) -> None:
        match event:
            case DefaultProviderChosen(provider_id=provider_id):
                self.provider_id = provider_id
            case DefaultProviderCleared():
                self.provider_id = None
            case _:
                assert_never(event)
