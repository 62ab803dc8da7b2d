"""Runs by a route on real engines: what fails, what answers instead, and what it saves."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from application.tracing import NoTracing
from domain.execution.events import ExecutionFailed, ExecutionLmCalled
from domain.provider.allowance import ProviderAllowance
from domain.routing import Strategy
from domain.tool.allowance import Allowance
from infrastructure.models.binding import ModelBinding
from infrastructure.runtime import dspy_engine
from infrastructure.settings import Settings
from tests.support.routed_world import RoutedWorld
from tests.support.scripted_lm import Error, ScriptedLmServer

FIRST, SECOND = "first/gpt-4o", "second/gpt-4o-mini"


@pytest.fixture
def servers() -> Iterator[tuple[ScriptedLmServer, ScriptedLmServer]]:
    with ScriptedLmServer() as first, ScriptedLmServer() as second:
        yield first, second


@pytest.fixture
def world(servers: Sequence[ScriptedLmServer], tmp_path: Path) -> Iterator[RoutedWorld]:
    """A route to models of two providers that are on the loopback."""
    urls = [each.url for each in servers]
    hosts = frozenset(each.removesuffix("/v1") for each in urls)
    made = RoutedWorld(ProviderAllowance(Allowance(hosts=hosts)))
    settings = Settings(home=tmp_path, max_retries=0)
    engine = dspy_engine(settings, NoTracing(), circuits=made.circuits)
    made.bus = made.bus_with(engine)
    for model, url in zip((FIRST, SECOND), urls, strict=True):
        name, _, offered = model.partition("/")
        more = {"base_url": url, "models": [{"name": offered}]}
        made.register(name=name, kind="openai_compatible", **more)
    made.route(Strategy.FALLBACK, FIRST, SECOND)
    yield made
    for runner in engine._chosen.values():
        model = runner._model
        for each in (model, model.fallback):
            if isinstance(each, ModelBinding):
                each.engine.close()


def called(world: RoutedWorld, run: UUID) -> list[str]:
    events = world.events(run)
    return [each.call.model for each in events if isinstance(each, ExecutionLmCalled)]


@pytest.mark.feature("RTR-03")
def test_rtr_03_where_the_first_model_of_a_route_fails_the_next_one_answers(
    world: RoutedWorld, servers: Sequence[ScriptedLmServer]
) -> None:
    assert called(world, world.run()) == ["openai/gpt-4o"]
    servers[0].script.errors = [Error(500, times=1)]
    assert called(world, world.run()) == ["openai/gpt-4o-mini"]
    assert [each.calls for each in servers] == [2, 1]


@pytest.mark.feature("RTR-03")
def test_rtr_03_where_both_fail_the_error_is_that_of_the_first(
    world: RoutedWorld, servers: Sequence[ScriptedLmServer]
) -> None:
    servers[0].script.errors = [Error(503, "The first is down.", times=1)]
    servers[1].script.errors = [Error(500, "The second is down.", times=1)]
    ended = world.events(world.run())[-1]
    assert isinstance(ended, ExecutionFailed)
    assert ended.failure.provider_status == 503
    assert "The first is down." in ended.failure.message
    assert [each.calls for each in servers] == [1, 1]


@pytest.mark.feature("RTR-03")
def test_rtr_03_a_model_that_failed_in_this_process_is_passed_over_until_it_is_tried_again(
    world: RoutedWorld, servers: Sequence[ScriptedLmServer]
) -> None:
    servers[0].script.errors = [Error(500, times=99)]
    for _ in range(5):
        assert world.routing(world.run()).choice.model == FIRST
    routing = world.routing(world.run())
    assert [each.circuit for each in routing.features.models] == ["open", "closed"]
    assert (routing.choice.model, routing.choice.fallback) == (SECOND, None)
    assert [each.calls for each in servers] == [5, 6]
