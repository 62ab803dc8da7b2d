"""Routes: each command, and beneath it its handler."""

from dataclasses import dataclass
from uuid import UUID

from application.authorization import Permission
from application.commands import Command, handles
from application.models import WORKERS_MODEL, Models
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from domain.route.aggregate import Route
from domain.routing import RoutePlan
from domain.text import LongText, Name


class CreateRoute(Command):
    """Each candidate is a provider, which means its first model, or a model of one."""

    route_id: UUID
    name: Name
    plan: RoutePlan


class ChangeRoute(Command):
    """The plan is told as a whole, also what stays."""

    route_id: UUID
    plan: RoutePlan
    expected_version: int | None = None


class DisableRoute(Command):
    route_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class EnableRoute(Command):
    route_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class RouteHandlers:
    """``models`` are those that candidates may be; it hears of changes."""

    routes: Repository[Route]
    clock: Clock
    models: Models = WORKERS_MODEL

    @handles(CreateRoute, Permission.MANAGE_PROVIDERS)
    def create(self, command: CreateRoute) -> Receipt:
        plan = self._resolved(command.plan)
        route = Route.create(command.route_id, command.name, plan, at=self.clock.now())
        return self._saved(route, Claim(Route.KIND, command.name, route.id))

    @handles(ChangeRoute, Permission.MANAGE_PROVIDERS)
    def change(self, command: ChangeRoute) -> Receipt:
        route = self._expected(command)
        route.change(self._resolved(command.plan), at=self.clock.now())
        return self._saved(route)

    @handles(DisableRoute, Permission.MANAGE_PROVIDERS)
    def disable(self, command: DisableRoute) -> Receipt:
        route = self._expected(command)
        route.disable(command.reason, at=self.clock.now())
        return self._saved(route)

    @handles(EnableRoute, Permission.MANAGE_PROVIDERS)
    def enable(self, command: EnableRoute) -> Receipt:
        route = self._expected(command)
        route.enable(at=self.clock.now())
        return self._saved(route)

    def _expected(self, command: ChangeRoute | DisableRoute | EnableRoute) -> Route:
        route = self.routes.get(command.route_id)
        route.expect(command.expected_version)
        return route

    def _saved(self, route: Route, claim: Claim | None = None) -> Receipt:
        receipt = self.routes.save(route, claim=claim)
        self.models.changed()
        return receipt

    def _resolved(self, plan: RoutePlan) -> RoutePlan:
        """*plan* with each candidate's model in full, as it is called in every run."""
        candidates = tuple(
            each.model_copy(update={"model": self.models.offered(each.model)})
            for each in plan.candidates
        )
        return plan.model_copy(update={"candidates": candidates})
