"""A route with all that can happen to one, what was chosen by it, and models by way of routes."""

from decimal import Decimal

from application.circuits import Circuits
from application.pricing import NO_PRICES, PriceBook
from application.routed import ModelRecord, RoutedModels
from domain.execution.events import ExecutionRouted
from domain.kernel import Event
from domain.provider.allowance import ProviderAllowance
from domain.route.aggregate import Route
from domain.route.events import RouteChanged, RouteCreated, RouteDisabled, RouteEnabled
from domain.routing import (
    Candidate,
    Choice,
    ModelFeatures,
    RoutePlan,
    Routing,
    RunFeatures,
    Strategy,
    select,
)
from tests.support.histories import an_id
from tests.support.memory import FixedClock, MemoryLog, MemoryNames, MemoryRepository
from tests.support.providers import ALLOWED, provider_models

SMALL = Candidate(
    model="mini/small",
    weight=3,
    input_size_max=2000,
    cost_limit_usd=Decimal("0.01"),
    context_required="context",
)
LARGE = Candidate(model="gpt/large")
BY_SIZE = RoutePlan(strategy=Strategy.FALLBACK, candidates=(SMALL, LARGE))
_FEATURES = RunFeatures(
    input_size=3000,
    given=("context",),
    draw=0.25,
    models=(
        ModelFeatures(
            circuit="half_open", cost_usd=Decimal("0.002"), latency_ms=120.5, success_rate=0.75
        ),
        ModelFeatures(is_usable=True),
    ),
)
ROUTED = ExecutionRouted(
    routing=Routing(
        route_id=an_id("route"),
        route="by size",
        plan=BY_SIZE,
        features=_FEATURES,
        choice=select(BY_SIZE, _FEATURES),
    )
)


class Records:
    """What is on record of models, as a test says."""

    def __init__(self, told: dict[str, ModelRecord] | None = None) -> None:
        self.told, self.asked = told or {}, list[str]()

    def of(self, called: str) -> ModelRecord:
        self.asked.append(called)
        return self.told.get(called, ModelRecord())


def routed_models(
    log: MemoryLog,
    prices: PriceBook = NO_PRICES,
    records: Records | None = None,
    circuits: Circuits | None = None,
    allowance: ProviderAllowance = ALLOWED,
) -> RoutedModels:
    """The models of the providers and routes in *log*; each key is the name of its variable."""
    return RoutedModels(
        provider_models(log, allowance),
        MemoryRepository(Route, log),
        MemoryNames(log),
        prices,
        records or Records(),
        circuits or Circuits(),
        clock=FixedClock(),
        monotonic=lambda: 0.0,
    )


def a_route() -> tuple[Event, ...]:
    """Created, changed, disabled and enabled, and disabled in the end."""
    cheapest = RoutePlan(strategy=Strategy.COST_OPTIMIZED, candidates=(LARGE, SMALL))
    return (
        RouteCreated(name="by size", plan=BY_SIZE),
        RouteChanged(plan=cheapest),
        RouteDisabled(reason="It is tried out."),
        RouteEnabled(),
        RouteDisabled(reason="Nobody needs it."),
    )


_FULL = RoutePlan(strategy=Strategy.LOAD_BALANCED, candidates=(SMALL,))
_ROUTED = ROUTED.routing.model_copy(
    update={
        "plan": _FULL,
        "features": _FEATURES.model_copy(update={"models": _FEATURES.models[:1]}),
        "choice": Choice(model="mini/small", fallback="gpt/large", reason="It was drawn."),
    }
)

EXAMPLES: tuple[tuple[Event, ...], ...] = (
    (
        RouteCreated(name="by weight", plan=_FULL),
        *(
            RouteCreated(name=how.value, plan=RoutePlan(strategy=how, candidates=(LARGE,)))
            for how in Strategy
        ),
    ),
    (RouteChanged(plan=_FULL), RouteChanged(plan=BY_SIZE)),
    (RouteDisabled(reason="Nobody needs it."),),
    (RouteEnabled(),),
    (ExecutionRouted(routing=_ROUTED), ROUTED),
)
"""For the golden files of what is stored."""
