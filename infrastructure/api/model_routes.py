"""Routes over HTTP: names for several models, one of which is chosen for each run."""

from typing import Annotated

from fastapi import Response, status
from pydantic import Field

from application.authorization import Permission
from application.errors import AggregateNotFound
from application.ports import Receipt
from application.routes import ChangeRoute, CreateRoute, DisableRoute, EnableRoute
from domain.route.aggregate import Route
from domain.routing import MAX_CANDIDATES, Candidate, RoutePlan, Strategy
from domain.text import Name
from infrastructure.api.bodies import Body, NewThing, Retirement
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import routes as read_model
from projections.routes import RouteRow

KIND = Route.KIND
PATH = "/v1/routes"
routes = router(PATH, "routes", needs=Permission.READ)

How = Annotated[
    Strategy, Field(description="How one is chosen of the candidates whose conditions hold.")
]
Candidates = Annotated[
    tuple[Candidate, ...],
    Field(
        min_length=1,
        max_length=MAX_CANDIDATES,
        description="In the order of preference. A model is a provider, or one of it as"
        " `provider/model`.",
    ),
]


class NewRoute(NewThing):
    """From which models one is chosen, and how."""

    name: Name
    strategy: How
    candidates: Candidates


class ChangedRoute(Body):
    """Everything that can be changed, also what stays."""

    strategy: How
    candidates: Candidates


@routes.post("", status_code=status.HTTP_201_CREATED)
async def create_route(body: NewRoute, desk: Writing, response: Response) -> Written:
    """Create a route. Name it as `route:NAME` where a model is named."""
    route_id = desk.new_id(KIND, body.id)
    command = wish(CreateRoute, route_id=route_id, name=body.name, plan=_plan(body))
    return _done(await desk.dispatch(command), response)


@routes.get("")
async def list_routes(
    desk: Reading, limit: Limit = LIMIT, cursor: After = None
) -> PageView[RouteRow]:
    """List routes, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.routes(store, tenant=desk.tenant, limit=limit, after=after)
        )
    )


@routes.get("/{route}")
async def get_route(route: IdOrName, desk: Reading, response: Response) -> RouteRow:
    """Read one route."""
    wanted = id_or(route)
    row = await desk.read(lambda store: read_model.route(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.post("/{route}/change")
async def change_route(
    route: IdOrName, body: ChangedRoute, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Choose otherwise for runs that begin from now on; name everything, also what stays."""
    command = wish(
        ChangeRoute,
        route_id=await desk.id_of(KIND, route),
        plan=_plan(body),
        expected_version=expected,
    )
    return _done(await desk.dispatch(command), response)


@routes.post("/{route}/disable")
async def disable_route(
    route: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Refuse runs that name it until it is enabled."""
    command = DisableRoute(
        route_id=await desk.id_of(KIND, route), reason=body.reason, expected_version=expected
    )
    return _done(await desk.dispatch(command), response)


@routes.post("/{route}/enable")
async def enable_route(
    route: IdOrName, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Let runs name it again."""
    command = EnableRoute(route_id=await desk.id_of(KIND, route), expected_version=expected)
    return _done(await desk.dispatch(command), response)


def _plan(body: NewRoute | ChangedRoute) -> RoutePlan:
    return RoutePlan(strategy=body.strategy, candidates=body.candidates)


def _done(receipt: Receipt, response: Response) -> Written:
    return written(response, receipt, f"{PATH}/{receipt.id}")
