"""Everything that can happen to a route."""

from typing import ClassVar

from domain.kernel import Event
from domain.routing import RoutePlan


class RouteCreated(Event):
    TOPIC: ClassVar[str] = "route.created"

    name: str
    plan: RoutePlan


class RouteChanged(Event):
    """Runs that begin from then on are routed by ``plan``."""

    TOPIC: ClassVar[str] = "route.changed"

    plan: RoutePlan


class RouteDisabled(Event):
    """No run may name it."""

    TOPIC: ClassVar[str] = "route.disabled"

    reason: str


class RouteEnabled(Event):
    TOPIC: ClassVar[str] = "route.enabled"


RouteEvent = RouteCreated | RouteChanged | RouteDisabled | RouteEnabled
