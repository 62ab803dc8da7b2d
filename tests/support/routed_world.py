"""A world whose runs may name routes to models of providers."""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from application.circuits import FAILURES, Circuits, Sign
from application.context import within
from application.executions import RequestExecution, RunExecution
from application.prices import SetPrice
from application.providers import ProviderHandlers, RegisterProvider
from application.routes import CreateRoute, RouteHandlers
from domain.execution.events import ExecutionRouted
from domain.price.values import Rates
from domain.provider.allowance import ProviderAllowance
from domain.route.aggregate import Route
from domain.routing import Candidate, RoutePlan, Routing, Strategy
from tests.support.memory import MemoryRepository
from tests.support.providers import ALLOWED, provider_handlers, provider_models
from tests.support.routes import Records, routed_models
from tests.support.run_world import CONTEXT, World


class RoutedWorld(World):
    """A world of providers and routes, where models may be asked as *allowance* says."""

    def __init__(self, allowance: ProviderAllowance = ALLOWED) -> None:
        self.allowance, self.records, self.circuits = allowance, Records(), Circuits()
        super().__init__()
        self.models = routed_models(self.log, self.prices, self.records, self.circuits, allowance)
        self.bus, self.program = self.bus_with(self.engine), self.a_program()

    def beside(self, request: Any) -> Sequence[object]:
        del request
        providers: ProviderHandlers = provider_handlers(
            self.log, self.clock, self.models, self.allowance
        )
        routes = MemoryRepository(Route, self.log)
        return providers, RouteHandlers(routes, self.clock, self.models)

    def register(self, **body: Any) -> UUID:
        command = RegisterProvider.model_validate({"provider_id": uuid4(), **body})
        return self.do(command).id

    def route(self, strategy: Strategy, *candidates: str | Candidate) -> UUID:
        """A route called ours."""
        plan = a_plan(strategy, *candidates)
        return self.do(CreateRoute(route_id=uuid4(), name="ours", plan=plan)).id

    def ask(self, model: str | None = "route:ours", **inputs: str) -> UUID:
        """Wish for a run on what *model* names."""
        execution_id = uuid4()
        told = inputs or {"message": "It crashes."}
        self.do(
            RequestExecution(
                execution_id=execution_id, program_id=self.program, inputs=told, model=model
            )
        )
        return execution_id

    def run(self, model: str | None = "route:ours", **inputs: str) -> UUID:
        """The same, carried out."""
        execution_id = self.ask(model, **inputs)
        self.do(RunExecution(execution_id=execution_id))
        return execution_id

    def price(self, model: str, usd: int | str) -> None:
        rates = Rates(input_usd=Decimal(usd), output_usd=Decimal(usd))
        self.do(SetPrice(model=model, rates=rates, reason="As agreed."))

    def routing(self, id: UUID) -> Routing:
        [found] = [each.routing for each in self.events(id) if isinstance(each, ExecutionRouted)]
        return found

    def fail(self, model: str, times: int = FAILURES) -> None:
        """Have *model* fail so often in a row."""
        with within(CONTEXT):
            offer = provider_models(self.log, self.allowance).offer(model)
        assert offer is not None
        circuit = self.circuits.of(offer.choice)
        for _ in range(times):
            with suppress(ValueError), circuit.call(model, lambda _: Sign.FAILED):
                raise ValueError


def a_plan(strategy: Strategy, *candidates: str | Candidate) -> RoutePlan:
    told = [Candidate(model=each) if isinstance(each, str) else each for each in candidates]
    return RoutePlan(strategy=strategy, candidates=tuple(told))
