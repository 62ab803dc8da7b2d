"""What is refused about providers, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, ForbiddenError, InvalidError


class InvalidProvider(InvalidError):
    """Nothing could be asked so; ``faults`` point into what was sent."""

    code: ClassVar[str] = "provider.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This provider cannot be used: {faults[0].message}", faults)


class ProviderIsNotAllowed(ForbiddenError):
    """Whoever runs the service does not let models be asked there, or this key be sent there."""

    code: ClassVar[str] = "provider.not_allowed"

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message, [Fault(pointer, self.code, message)])


class ProviderIsUnknown(InvalidError):
    """A model was named of a provider that the tenant does not have."""

    code: ClassVar[str] = "provider.unknown"

    def __init__(self, name: str) -> None:
        message = f"There is no provider called {name[:200]}. See which there are, or register it."
        super().__init__(message, [Fault("/model", self.code, message)])


class ProviderIsDisabled(ConflictError):
    code: ClassVar[str] = "provider.disabled"

    def __init__(self, provider_id: UUID, name: str) -> None:
        super().__init__(f"The provider {name} is disabled. Enable it, or choose another one.")
        self.provider_id = provider_id


class ModelIsNotOffered(InvalidError):
    """The provider has no such model."""

    code: ClassVar[str] = "provider.model_unknown"

    def __init__(self, name: str, model: str, offered: Sequence[str]) -> None:
        known = ", ".join(offered)
        message = f"The provider {name} offers no model {model}. Choose one of {known}, or add it."
        super().__init__(message, [Fault("/model", self.code, message)])
