"""A route: a name for several models, one of which is chosen for each run."""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.errors import Fault
from domain.kernel import Aggregate
from domain.route.errors import InvalidRoute, RouteIsDisabled
from domain.route.events import (
    RouteChanged,
    RouteCreated,
    RouteDisabled,
    RouteEnabled,
    RouteEvent,
)
from domain.routing import RoutePlan


class Route(Aggregate[RouteEvent]):
    """Its name is for good; what it chooses from may change."""

    KIND: ClassVar[str] = "route"

    name: str
    plan: RoutePlan

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.is_disabled = False

    @classmethod
    def create(cls, id: UUID, name: str, plan: RoutePlan, *, at: datetime) -> Self:
        """Have runs that name it be answered by one of the candidates of *plan*.

        Raises:
            InvalidRoute: A candidate is named twice.
        """
        _require_valid(plan)
        return cls.begin(id, RouteCreated(name=name, plan=plan), at=at)

    def change(self, plan: RoutePlan, *, at: datetime) -> None:
        """Choose by another *plan* from now on. The same again changes nothing.

        Raises:
            InvalidRoute: A candidate is named twice.
        """
        _require_valid(plan)
        if plan != self.plan:
            self.record(RouteChanged(plan=plan), at=at)

    def disable(self, reason: str, *, at: datetime) -> None:
        """Refuse runs that name it until it is enabled. A second time changes nothing."""
        if not self.is_disabled:
            self.record(RouteDisabled(reason=reason), at=at)

    def enable(self, *, at: datetime) -> None:
        """Let runs name it again. One that they may name is left as it is."""
        if self.is_disabled:
            self.record(RouteEnabled(), at=at)

    def require_enabled(self) -> None:
        """Make sure that runs may name it.

        Raises:
            RouteIsDisabled: They may not.
        """
        if self.is_disabled:
            raise RouteIsDisabled(self.id, self.name)

    def evolve(self, event: RouteEvent) -> None:
        match event:
            case RouteCreated(name=name, plan=plan):
                self.name, self.plan = name, plan
            case RouteChanged(plan=plan):
                self.plan = plan
            case RouteDisabled():
                self.is_disabled = True
            case RouteEnabled():
                self.is_disabled = False
            case _:
                assert_never(event)


def _require_valid(plan: RoutePlan) -> None:
    if faults := list(_twice(plan)):
        raise InvalidRoute(faults)


def _twice(plan: RoutePlan) -> Iterator[Fault]:
    seen = set[str]()
    for index, each in enumerate(plan.candidates):
        if each.model in seen:
            message = f"The model {each.model} is named twice. Leave one out, or add up weights."
            yield Fault(f"/candidates/{index}/model", "route.candidates", message)
        seen.add(each.model)
