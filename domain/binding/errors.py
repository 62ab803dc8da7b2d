"""What bindings refuse, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError


class InvalidBinding(InvalidError):
    """The binding could never run its program; ``faults`` point into it."""

    code: ClassVar[str] = "binding.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This binding cannot work: {faults[0].message}", faults)


class BindingIsRemoved(ConflictError):
    code: ClassVar[str] = "binding.removed"

    def __init__(self, binding_id: UUID) -> None:
        super().__init__(f"Binding {binding_id} is removed. Create another one instead.")
        self.binding_id = binding_id


class BindingIsPaused(ConflictError):
    code: ClassVar[str] = "binding.paused"

    def __init__(self, binding_id: UUID) -> None:
        super().__init__(f"Binding {binding_id} is paused. Resume it first.")
        self.binding_id = binding_id


class TooManyBindings(ConflictError):
    code: ClassVar[str] = "binding.too_many"

    def __init__(self, resource: str, most: int) -> None:
        super().__init__(
            f"{most} programs are bound to records called {resource}, and more may not be. "
            "Remove one that is not needed."
        )
        self.resource, self.most = resource, most
