"""Models by way of routes: which candidate answers a run is chosen when a worker takes it up."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from pydantic import JsonValue

from application.circuits import Circuits
from application.context import current
from application.fresh import Fresh
from application.lm_ports import JsonObject, ModelChoice
from application.models import Offer, ProviderModels, RunToRoute
from application.ports import Clock, Monotonic, Names, Repository
from application.pricing import PriceBook
from domain.errors import NotFoundError
from domain.price.values import counting_of
from domain.program.model import model_of
from domain.route.aggregate import Route
from domain.route.errors import RouteIsUnknown
from domain.routing import (
    Candidate,
    ModelFeatures,
    RoutePlan,
    Routing,
    RunFeatures,
    Strategy,
    draw_of,
    named_route,
    select,
)
from domain.values import LmUsage

BYTES_A_TOKEN: Final = 4
"""A rule of thumb, where nobody has counted the tokens of a text yet."""


class ModelRecord(NamedTuple):
    """What is on record of the last calls of a model; its latency is a mean over them."""

    calls: int = 0
    failed: int = 0
    latency_ms: float | None = None

    @property
    def success_rate(self) -> float:
        """The share of calls that were answered, as if there were one more that was.

        So one bad call is not the end of a model, and what always fails is still tried at times.
        """
        return (self.calls - self.failed + 1) / (self.calls + 1)


class ModelRecords(Protocol):
    def of(self, called: str) -> ModelRecord:
        """What is on record of the model *called* so, for the tenant of the current context."""
        ...


class RoutedModels:
    """``Models`` with routes over those of providers.

    What it reads of routes and records is kept for a second. A run that names no route costs
    nothing of it.
    """

    def __init__(
        self,
        models: ProviderModels,
        routes: Repository[Route],
        names: Names,
        prices: PriceBook,
        records: ModelRecords,
        circuits: Circuits,
        *,
        clock: Clock,
        monotonic: Monotonic,
    ) -> None:
        self._models, self._routes, self._names = models, routes, names
        self._prices, self._records, self._circuits = prices, records, circuits
        self._clock = clock
        self._kept, self._kept_records = Fresh[Route](monotonic), Fresh[ModelRecord](monotonic)

    def resolved(self, asked: str | None, config: Mapping[str, JsonValue]) -> str | None:
        named = asked or model_of(config)
        route = named_route(named)
        if route is None:
            return self._models.resolved(asked, config)
        self._named(route).require_enabled()
        return named

    def offered(self, asked: str) -> str:
        return self._models.offered(asked)

    def routed(self, model: str | None, run: RunToRoute) -> Routing | None:
        name = named_route(model)
        if name is None:
            return None
        route = self._named(name)
        route.require_enabled()
        features = self._features(route.plan, run)
        return Routing(
            route_id=route.id,
            route=route.name,
            plan=route.plan,
            features=features,
            choice=select(route.plan, features),
        )

    def changed(self) -> None:
        self._models.changed()
        self._kept.forget_all()

    def chosen(
        self, model: str | None, *, live: bool = True, fallback: str | None = None
    ) -> ModelChoice | None:
        return self._models.chosen(model, live=live, fallback=fallback)

    def _named(self, name: str) -> Route:
        def read() -> Route:
            holder = self._names.holder(Route.KIND, name)
            if holder is None:
                raise RouteIsUnknown(name)
            return self._routes.get(holder)

        return self._kept.get((current().tenant, name), read)

    def _features(self, plan: RoutePlan, run: RunToRoute) -> RunFeatures:
        needed = sorted({each.context_required for each in plan.candidates} - {None}, key=str)
        models = tuple(self._known(each, plan.strategy, run) for each in plan.candidates)
        return RunFeatures(
            input_size=run.input_size,
            given=_given(needed, run.inputs) if needed else (),
            draw=draw_of(run.id),
            models=models,
        )

    def _known(self, candidate: Candidate, strategy: Strategy, run: RunToRoute) -> ModelFeatures:
        """What is known of *candidate*; what does not matter is not looked up."""
        offer = self._models.offer(candidate.model)
        if offer is None:
            return ModelFeatures(is_usable=False)
        told: dict[str, object] = {"circuit": self._circuits.of(offer.choice).state.name.lower()}
        if strategy is Strategy.COST_OPTIMIZED or candidate.cost_limit_usd is not None:
            told["cost_usd"] = self._cost_usd(offer, run.input_size)
        if strategy is Strategy.LOAD_BALANCED:
            told["success_rate"] = self._record(offer.called).success_rate
        if strategy is Strategy.LATENCY_OPTIMIZED:
            told["latency_ms"] = self._record(offer.called).latency_ms
        return ModelFeatures.model_validate(told)

    def _cost_usd(self, offer: Offer, input_size: int) -> Decimal | None:
        """What one call costs by the price book, if its answer is as long as it may be."""
        rates = self._prices.rates(offer.called, self._clock.now())
        if rates is None:
            return Decimal(0) if offer.is_free else None
        prompt, completion = -(-input_size // BYTES_A_TOKEN), offer.model.max_tokens
        usage = LmUsage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=0,
            reasoning_tokens=0,
            total_tokens=prompt + completion,
        )
        return rates.cost_of(usage, counting_of(offer.called))

    def _record(self, called: str) -> ModelRecord:
        tenant = current().tenant
        return self._kept_records.get((tenant, called), lambda: self._records.of(called))


def _given(needed: Sequence[str | None], inputs: Callable[[], JsonObject]) -> tuple[str, ...]:
    """Those of the *needed* fields that have a value; none where the inputs were erased."""
    with suppress(NotFoundError):
        values = inputs()
        return tuple(each for each in needed if each is not None and _is_value(values.get(each)))
    return ()


def _is_value(value: JsonValue) -> bool:
    return value is not None and value != "" and value != [] and value != {}
