"""What is refused about routes, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError


class InvalidRoute(InvalidError):
    """Nothing could be chosen so; ``faults`` point into what was sent."""

    code: ClassVar[str] = "route.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This route cannot be used: {faults[0].message}", faults)


class RouteIsUnknown(InvalidError):
    """A route was named that the tenant does not have."""

    code: ClassVar[str] = "route.unknown"

    def __init__(self, name: str) -> None:
        message = f"There is no route called {name[:200]}. See which there are, or create it."
        super().__init__(message, [Fault("/model", self.code, message)])


class RouteIsDisabled(ConflictError):
    code: ClassVar[str] = "route.disabled"

    def __init__(self, route_id: UUID, name: str) -> None:
        super().__init__(f"The route {name} is disabled. Enable it, or name another model.")
        self.route_id = route_id
