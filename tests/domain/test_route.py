"""The life of a route, and that a run stays with the model that was chosen for it."""

from collections.abc import Iterator

import pytest

from domain.execution.aggregate import Execution
from domain.execution.errors import ExecutionForbids
from domain.execution.events import ExecutionStarted
from domain.route.aggregate import Route
from domain.route.errors import InvalidRoute, RouteIsDisabled
from domain.route.events import RouteChanged, RouteCreated, RouteDisabled, RouteEnabled
from domain.routing import RoutePlan, Strategy
from tests.support import histories as build
from tests.support.routes import BY_SIZE, LARGE, ROUTED, SMALL
from tests.support.scenario import NOW, Scenario, told

CREATED = RouteCreated(name="by size", plan=BY_SIZE)
OTHER = RoutePlan(strategy=Strategy.PRIMARY, candidates=(LARGE,))
TWICE = RoutePlan(strategy=Strategy.PRIMARY, candidates=(LARGE, SMALL, LARGE))


@pytest.fixture
def route() -> Iterator[Scenario[Route]]:
    yield from told(Route)


@pytest.fixture
def execution() -> Iterator[Scenario[Execution]]:
    yield from told(Execution)


def test_it_is_created_with_a_plan(route: Scenario[Route]) -> None:
    route.when_begun(lambda new: Route.create(new, "by size", BY_SIZE, at=NOW)).then(CREATED)


def test_a_model_is_named_once(route: Scenario[Route]) -> None:
    refused = route.when_begun(lambda new: Route.create(new, "r", TWICE, at=NOW))
    error = refused.then_refused(InvalidRoute)
    assert [each.pointer for each in error.faults] == ["/candidates/2/model"]


def test_it_is_changed_but_not_to_what_it_is(route: Scenario[Route]) -> None:
    route.given(CREATED).when(lambda it: it.change(OTHER, at=NOW)).then(RouteChanged(plan=OTHER))


def test_the_same_plan_again_changes_nothing(route: Scenario[Route]) -> None:
    route.given(CREATED).when(lambda it: it.change(BY_SIZE, at=NOW)).then()


def test_a_change_names_a_model_once(route: Scenario[Route]) -> None:
    route.given(CREATED).when(lambda it: it.change(TWICE, at=NOW)).then_refused(InvalidRoute)


def test_it_is_disabled_once(route: Scenario[Route]) -> None:
    disabled = RouteDisabled(reason="Why not?")

    def twice(it: Route) -> None:
        it.disable("Why not?", at=NOW)
        it.disable("Again.", at=NOW)

    route.given(CREATED).when(twice).then(disabled)


def test_it_is_enabled_once_and_only_a_disabled_one(route: Scenario[Route]) -> None:
    def twice(it: Route) -> None:
        it.enable(at=NOW)
        it.enable(at=NOW)
        it.require_enabled()

    route.given(CREATED, RouteDisabled(reason="x")).when(twice).then(RouteEnabled())


def test_a_disabled_one_may_not_be_named(route: Scenario[Route]) -> None:
    given = route.given(CREATED, RouteDisabled(reason="x"))
    given.when(lambda it: it.require_enabled()).then_refused(RouteIsDisabled)


STARTED = ExecutionStarted(attempt=1, worker="worker-1")
REQUESTED = build.execution_requested().model_copy(update={"model": "route:by size"})


@pytest.mark.feature("RTR-01")
def test_rtr_01_a_run_is_routed_once_it_is_taken_up(execution: Scenario[Execution]) -> None:
    def route(it: Execution) -> None:
        assert it.awaits_routing
        assert (it.model, it.fallback) == ("route:by size", None)
        it.route(ROUTED.routing, at=NOW)
        assert not it.awaits_routing
        assert (it.model, it.fallback) == ("gpt/large", None)

    execution.given(REQUESTED, STARTED).when(route).then(ROUTED)


@pytest.mark.feature("RTR-01")
def test_rtr_01_a_run_that_waits_or_ended_is_not_routed(execution: Scenario[Execution]) -> None:
    given = execution.given(REQUESTED)
    given.when(lambda it: it.route(ROUTED.routing, at=NOW)).then_refused(ExecutionForbids)


def test_a_run_that_names_no_route_awaits_none() -> None:
    events = build.execution_requested(), build.execution_completed()
    execution = Execution.fold(build.an_id("run"), events)
    assert not execution.awaits_routing
    assert (execution.model, execution.fallback) == (None, None)
