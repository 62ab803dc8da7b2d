"""Everything that can happen to a provider, and to the tenant's choice of one."""

from typing import ClassVar
from uuid import UUID

from domain.kernel import Event
from domain.provider.values import BaseUrl, OfferedModels, ProviderKind, SecretRef


class ProviderRegistered(Event):
    """Without a ``base_url`` it is asked where all of its kind are."""

    TOPIC: ClassVar[str] = "provider.registered"

    name: str
    kind: ProviderKind
    base_url: BaseUrl | None
    secret: SecretRef | None
    models: OfferedModels


class ProviderChanged(Event):
    TOPIC: ClassVar[str] = "provider.changed"

    base_url: BaseUrl | None
    models: OfferedModels


class ProviderKeyRotated(Event):
    """Calls from then on are made with the key that ``secret`` refers to."""

    TOPIC: ClassVar[str] = "provider.key_rotated"

    secret: SecretRef


class ProviderDisabled(Event):
    """It is asked nothing more."""

    TOPIC: ClassVar[str] = "provider.disabled"

    reason: str


class ProviderEnabled(Event):
    TOPIC: ClassVar[str] = "provider.enabled"


ProviderEvent = (
    ProviderRegistered | ProviderChanged | ProviderKeyRotated | ProviderDisabled | ProviderEnabled
)


class DefaultProviderChosen(Event):
    """It answers for the tenant where nothing else is said."""

    TOPIC: ClassVar[str] = "default_provider.chosen"

    provider_id: UUID


class DefaultProviderCleared(Event):
    """The model of the workers answers again where nothing else is said."""

    TOPIC: ClassVar[str] = "default_provider.cleared"


DefaultProviderEvent = DefaultProviderChosen | DefaultProviderCleared
