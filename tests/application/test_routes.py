"""Runs that name a route: which model answers is chosen once, on record before the first call."""

from decimal import Decimal
from uuid import uuid4

import pytest

from application.circuits import FAILURES, Circuits
from application.context import within
from application.executions import RunExecution
from application.models import WORKERS_MODEL, RunToRoute
from application.providers import DisableProvider
from application.replays import RequestReplay, RunReplay
from application.routed import ModelRecord
from application.routes import (
    ChangeRoute,
    DisableRoute,
    EnableRoute,
)
from domain.execution.events import (
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionRouted,
    ExecutionStarted,
    ReplayVerified,
)
from domain.provider.errors import InvalidProvider, ModelIsNotOffered, ProviderIsUnknown
from domain.route.errors import InvalidRoute, RouteIsDisabled, RouteIsUnknown
from domain.routing import Candidate, Strategy, select
from tests.support.routed_world import RoutedWorld, a_plan
from tests.support.run_world import CONTEXT, Killed

SMALL, LARGE = "mini/small", "gpt/large"


class Scene(RoutedWorld):
    """Two providers, of which ``mini`` is in the house and free."""

    def __init__(self) -> None:
        super().__init__()
        small = {"name": "mini", "kind": "local", "models": [{"name": "small", "max_tokens": 10}]}
        large = {"name": "gpt", "kind": "openai", "secret": "env:OPENAI_API_KEY"}
        self.mini = self.register(**small)
        self.gpt = self.register(**large, models=[{"name": "large"}, {"name": "other"}])


@pytest.fixture
def world() -> Scene:
    return Scene()


@pytest.mark.feature("RTR-01")
def test_rtr_01_the_choice_is_on_record_before_the_first_call_with_what_it_was_made_by(
    world: Scene,
) -> None:
    route = world.route(Strategy.FALLBACK, SMALL, LARGE)
    world.runner.asks = ["one"]
    run = world.run()
    told = [type(each) for each in world.events(run)]
    assert told[:4] == [ExecutionRequested, ExecutionStarted, ExecutionRouted, ExecutionLmCalled]
    routing = world.routing(run)
    assert (routing.route_id, routing.route, routing.choice.model) == (route, "ours", SMALL)
    assert routing.features.input_size == len('{"hint":null,"message":"It crashes."}')
    assert select(routing.plan, routing.features) == routing.choice
    [model] = world.engine.models
    assert model is not None
    assert model.name == "local:small"
    assert model.fallback is not None
    assert model.fallback.name == "openai/large"


@pytest.mark.feature("RTR-01")
def test_rtr_01_a_run_that_is_taken_up_again_or_replayed_is_on_the_model_that_was_chosen(
    world: Scene,
) -> None:
    route = world.route(Strategy.FALLBACK, LARGE, SMALL)
    world.runner.asks, world.runner.error = ["one"], Killed()
    run = world.ask()
    with pytest.raises(Killed):
        world.do(RunExecution(execution_id=run))
    world.do(ChangeRoute(route_id=route, plan=a_plan(Strategy.PRIMARY, SMALL)))
    world.runner.error = None
    world.do(RunExecution(execution_id=run))
    world.do(RequestReplay(execution_id=run))
    world.do(RunReplay(execution_id=run, replay=1))
    assert isinstance(world.events(run)[-1], ReplayVerified)
    assert world.runner.made == ["one"]
    assert world.routing(run).choice.model == LARGE
    assert [each and each.name for each in world.engine.models] == ["openai/large"] * 3
    assert world.routing(world.run()).choice.model == SMALL


@pytest.mark.feature("RTR-04")
def test_rtr_04_a_run_that_no_model_may_answer_fails_by_name_and_calls_nothing(
    world: Scene,
) -> None:
    world.route(Strategy.FALLBACK, Candidate(model=SMALL, input_size_max=10))
    world.runner.asks = ["one"]
    ended = world.events(world.run())[-1]
    assert isinstance(ended, ExecutionFailed)
    assert ended.failure.code == "route.no_model_available"
    assert "mini/small takes 10 bytes at most" in ended.failure.message
    assert not ended.failure.retryable
    assert world.runner.made == []


@pytest.mark.feature("RTR-03")
def test_rtr_03_what_is_left_alone_is_passed_over_and_all_of_them_are_an_error_that_may_pass(
    world: Scene,
) -> None:
    world.route(Strategy.FALLBACK, LARGE, SMALL)
    world.fail(LARGE, FAILURES - 1)
    assert world.routing(world.run()).choice.model == LARGE
    world.fail(LARGE, 1)
    routing = world.routing(world.run())
    assert (routing.choice.model, routing.choice.fallback) == (SMALL, None)
    assert [each.circuit for each in routing.features.models] == ["open", "closed"]
    world.fail(SMALL)
    ended = world.events(world.run())[-1]
    assert isinstance(ended, ExecutionFailed)
    assert ended.failure.retryable


@pytest.mark.feature("RTR-02")
def test_rtr_02_the_cheapest_is_found_by_the_price_book_and_what_is_in_the_house_is_free(
    world: Scene,
) -> None:
    world.route(Strategy.COST_OPTIMIZED, "gpt/other", LARGE, SMALL)
    features = world.routing(world.run()).features
    assert [each.cost_usd for each in features.models] == [None, None, 0]
    for model, usd in (("local/small", 40), ("openai/large", 2)):
        world.price(model, usd)
    routing = world.routing(world.run(message="x" * 74))  # 100 bytes, so 25 tokens
    costs = [each.cost_usd for each in routing.features.models]
    assert costs == [None, Decimal("0.00205"), Decimal("0.0014")]
    assert (routing.choice.model, routing.choice.fallback) == (SMALL, LARGE)


@pytest.mark.feature("CST-03")
def test_cst_03_a_limit_of_cost_is_never_kept_by_a_model_of_unknown_price(
    world: Scene,
) -> None:
    limit = Decimal("0.005")
    limited = [Candidate(model=each, cost_limit_usd=limit) for each in ("gpt/other", LARGE)]
    world.route(Strategy.PRIMARY, *limited, SMALL)
    world.price("openai/large", 4)
    assert world.routing(world.run()).choice.model == LARGE
    long = world.routing(world.run(message="x" * 1000))  # 1000 tokens out, and 257 in
    assert long.choice.model == SMALL
    assert "gpt/other costs nobody knows what" in long.choice.reason
    assert "gpt/large would cost more than 0.005 USD" in long.choice.reason


@pytest.mark.feature("RTR-02")
def test_rtr_02_latencies_and_success_are_those_on_record_and_read_once_a_second(
    world: Scene,
) -> None:
    route = world.route(Strategy.LATENCY_OPTIMIZED, LARGE, SMALL)
    world.records.told = {
        "openai/large": ModelRecord(9, 0, 900.0),
        "local/small": ModelRecord(9, 5, 80.0),
    }
    routing = world.routing(world.run())
    assert [each.latency_ms for each in routing.features.models] == [900.0, 80.0]
    assert routing.choice.model == SMALL
    world.do(ChangeRoute(route_id=route, plan=a_plan(Strategy.LOAD_BALANCED, LARGE, SMALL)))
    features = world.routing(world.run()).features
    assert [each.success_rate for each in features.models] == [1.0, 0.5]
    assert world.records.asked == ["openai/large", "local/small"]
    world.do(ChangeRoute(route_id=route, plan=a_plan(Strategy.PRIMARY, LARGE, "gpt/other")))
    world.run()
    assert world.records.asked == ["openai/large", "local/small"], "nothing needed it"


def test_of_what_is_not_on_record_nothing_bad_is_known() -> None:
    assert (ModelRecord().success_rate, ModelRecord().latency_ms) == (1.0, None)
    assert ModelRecord(1, 1).success_rate == 0.5


@pytest.mark.feature("RTR-02")
@pytest.mark.parametrize("value", ["", None, [], {}])
def test_rtr_02_an_input_that_is_asked_for_has_to_have_a_value(world: Scene, value: object) -> None:
    world.route(Strategy.PRIMARY, Candidate(model=LARGE, context_required="hint"), SMALL)
    assert world.routing(world.run(message="m", hint="h")).features.given == ("hint",)
    assert world.routing(world.run()).choice.model == SMALL
    run = RunToRoute(uuid4(), 9, lambda: {"hint": value})  # type: ignore[dict-item]  # no such JSON
    with within(CONTEXT):
        routing = world.models.routed("route:ours", run)
    assert routing is not None
    assert routing.features.given == ()


def test_inputs_that_were_erased_give_nothing(world: Scene) -> None:
    world.route(Strategy.PRIMARY, Candidate(model=LARGE, context_required="message"), SMALL)
    run = world.ask()
    world.payloads.erase_everything()
    world.do(RunExecution(execution_id=run))
    assert world.routing(run).choice.model == SMALL
    assert isinstance(world.events(run)[-1], ExecutionFailed)


def test_a_model_that_is_gone_or_disabled_is_passed_over(world: Scene) -> None:
    world.route(Strategy.PRIMARY, LARGE, SMALL)
    run = world.ask()
    world.do(DisableProvider(provider_id=world.gpt))
    world.do(RunExecution(execution_id=run))
    routing = world.routing(run)
    assert [each.is_usable for each in routing.features.models] == [False, True]
    assert routing.choice.model == SMALL


def test_a_fallback_that_may_not_be_asked_any_more_is_none(world: Scene) -> None:
    world.do(DisableProvider(provider_id=world.gpt))
    with within(CONTEXT):
        choice = world.models.chosen(SMALL, fallback=LARGE)
        again = world.models.chosen(SMALL, fallback=LARGE, live=False)
    assert choice is not None
    assert again is not None
    assert (choice.fallback, again.fallback) == (None, None)


def test_a_route_that_is_unknown_or_disabled_is_refused_at_once_and_later_fails(
    world: Scene,
) -> None:
    with pytest.raises(RouteIsUnknown, match="create it"):
        world.ask("route:other")
    route = world.route(Strategy.PRIMARY, SMALL)
    waiting = world.ask()
    world.do(DisableRoute(route_id=route))
    with pytest.raises(RouteIsDisabled):
        world.ask()
    world.do(RunExecution(execution_id=waiting))
    ended = world.events(waiting)[-1]
    assert isinstance(ended, ExecutionFailed)
    assert (ended.failure.code, ended.failure.retryable) == ("route.disabled", False)
    world.do(EnableRoute(route_id=route))
    assert world.routing(world.run()).choice.model == SMALL


def test_candidates_are_models_of_providers_and_stand_there_in_full(world: Scene) -> None:
    world.route(Strategy.PRIMARY, "gpt", "mini")
    plan = world.routing(world.run()).plan
    assert [each.model for each in plan.candidates] == [LARGE, SMALL]
    for wrong, error in (
        ("other", ProviderIsUnknown),
        ("gpt/gone", ModelIsNotOffered),
        ("route:ours", ProviderIsUnknown),
    ):
        with pytest.raises(error):
            world.route(Strategy.PRIMARY, wrong)
    with pytest.raises(InvalidRoute, match="named twice"):
        world.route(Strategy.PRIMARY, "gpt", LARGE)


def test_no_provider_has_the_name_of_a_route(world: Scene) -> None:
    with pytest.raises(InvalidProvider, match="that of a route"):
        world.register(name="route:ours", kind="local")


def test_a_program_may_name_a_route_and_a_call_another_model(world: Scene) -> None:
    world.route(Strategy.PRIMARY, LARGE)
    with within(CONTEXT):
        assert world.models.resolved(None, {"lm": "route:ours"}) == "route:ours"
        assert world.models.resolved("mini", {"lm": "route:ours"}) == SMALL


def test_a_run_without_a_route_is_as_it_was(world: Scene) -> None:
    for model in (None, "gpt"):
        run = world.run(model)
        assert not any(isinstance(each, ExecutionRouted) for each in world.events(run))
        with within(CONTEXT):
            assert world.models.routed(model, RunToRoute(run, 0, dict)) is None
    assert [each and each.name for each in world.engine.models] == [None, "openai/large"]
    assert world.records.asked == []


def test_where_there_are_no_providers_nothing_is_a_route() -> None:
    assert WORKERS_MODEL.routed("route:ours", RunToRoute(uuid4(), 0, dict)) is None
    with pytest.raises(ProviderIsUnknown):
        WORKERS_MODEL.offered("gpt")


def test_a_model_has_one_circuit_however_it_is_asked() -> None:
    circuits = Circuits()
    assert circuits.of("a") is circuits.of("a")
    assert circuits.of("a") is not circuits.of("b")
