"""One row for each route: from which models one is chosen for a run, and how."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field, JsonValue

from domain.kernel import Event, Recorded
from domain.route.events import RouteChanged, RouteCreated, RouteDisabled, RouteEnabled
from domain.routing import Candidate, RoutePlan, Strategy
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select


class RouteRow(Row):
    route_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was created; newer ones are greater.")
    name: str = Field(description="A run names it as route:NAME, where a model is named.")
    strategy: Strategy = Field(description="How one is chosen of those whose conditions hold.")
    candidates: tuple[Candidate, ...] = Field(description="The models, in order of preference.")
    disabled_at: datetime | None
    disabled_because: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime


class Routes(Projection):
    name: ClassVar[str] = "routes"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE route (
            tenant           text NOT NULL,
            route_id         uuid NOT NULL,
            version          bigint NOT NULL,
            position         bigint NOT NULL,
            name             text NOT NULL,
            strategy         text NOT NULL,
            candidates       json NOT NULL,
            disabled_at      timestamptz,
            disabled_because text,
            created_at       timestamptz NOT NULL,
            created_by       text NOT NULL,
            updated_at       timestamptz NOT NULL,
            PRIMARY KEY (tenant, route_id)
        );
        CREATE INDEX route_newest ON route (tenant, position);
        CREATE INDEX route_name ON route (tenant, name);
    """
    events: ClassVar[tuple[type[Event], ...]] = (
        RouteCreated,
        RouteChanged,
        RouteDisabled,
        RouteEnabled,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case RouteCreated(name=name, plan=plan):
                yield Write(_CREATE, row(recorded, name=name, **_told(plan)))
            case RouteChanged(plan=plan):
                yield Write(_CHANGE, row(recorded, **_told(plan)))
            case RouteDisabled(reason=reason):
                yield Write(_DISABLE, row(recorded, reason=reason))
            case RouteEnabled():
                yield Write(_ENABLE, row(recorded))
            case _:
                pass


def _told(plan: RoutePlan) -> dict[str, object]:
    candidates: list[JsonValue] = [each.model_dump(mode="json") for each in plan.candidates]
    return {"strategy": plan.strategy.value, "candidates": document(candidates)}


def routes(
    store: ReadStore, *, tenant: str, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[RouteRow]:
    """The newest routes first, disabled ones among them."""
    select = Select(_SELECT, of=Routes, tenant=tenant)
    return select.page(store, RouteRow, NEWEST_FIRST, limit=limit, after=after)


def route(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> RouteRow | None:
    """One route, disabled or not."""
    select = Select(_SELECT, of=Routes, tenant=tenant).called("route_id", id_or_name)
    return select.first(store, RouteRow, order="position")


_SELECT: LiteralString = """
    SELECT route_id, version, position, name, strategy, candidates, disabled_at, disabled_because,
           created_at, created_by, updated_at
    FROM route WHERE tenant = %(tenant)s"""
_CREATE: LiteralString = """
    INSERT INTO route (tenant, route_id, version, position, name, strategy, candidates, created_at,
                       created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(strategy)s, %(candidates)s,
            %(at)s, %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""
_CHANGE: LiteralString = """
    UPDATE route SET version = %(version)s, updated_at = %(at)s, strategy = %(strategy)s,
           candidates = %(candidates)s
    WHERE tenant = %(tenant)s AND route_id = %(id)s AND version < %(version)s"""
_DISABLE: LiteralString = """
    UPDATE route SET version = %(version)s, updated_at = %(at)s, disabled_at = %(at)s,
           disabled_because = %(reason)s
    WHERE tenant = %(tenant)s AND route_id = %(id)s AND version < %(version)s"""
_ENABLE: LiteralString = """
    UPDATE route SET version = %(version)s, updated_at = %(at)s, disabled_at = NULL,
           disabled_because = NULL
    WHERE tenant = %(tenant)s AND route_id = %(id)s AND version < %(version)s"""
