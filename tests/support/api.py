"""The whole API in one process: handlers over a memory log, and a worker that runs on demand."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import anyio
from fastapi import FastAPI
from fastapi.testclient import TestClient

from application.auditing import Attempt
from application.authorization import AS_WORKER
from application.budgets import BudgetHandlers
from application.commands import Command, CommandBus
from application.context import Context
from application.datasets import DatasetHandlers
from application.evaluations import EvaluationHandlers
from application.exchange import ExchangeHandlers
from application.executions import ExecutionHandlers
from application.generations import GenerationHandlers
from application.graphs import GraphReader
from application.keys import KeyHandlers
from application.modules import ModuleHandlers
from application.optimizations import OptimizationHandlers
from application.past_runs import PastRunHandlers
from application.policies import reactions
from application.ports import Receipt
from application.prices import PriceHandlers
from application.pricing import RememberedPrices
from application.probes import ProbeHandlers
from application.programs import ProgramHandlers
from application.purges import PurgeHandlers
from application.replays import ReplayHandlers
from application.routes import RouteHandlers
from application.shelf import SignatureShelf
from application.signatures import SignatureHandlers
from application.supplies import Supplies
from application.tools import ToolHandlers
from application.tracing import NoTracing
from application.versions import VersionHandlers
from domain.access.aggregate import ApiKey
from domain.batch.aggregate import Batch
from domain.budget.aggregate import Budget
from domain.cache.aggregate import CachePurge
from domain.dataset.aggregate import Dataset
from domain.evaluation.aggregate import Evaluation
from domain.execution.aggregate import Execution
from domain.kernel import Recorded
from domain.module.aggregate import Module
from domain.optimization.aggregate import Optimization
from domain.price.aggregate import Price
from domain.probe.aggregate import Probe
from domain.program.aggregate import Program
from domain.provider.aggregate import Provider
from domain.route.aggregate import Route
from domain.signature.aggregate import Signature
from domain.tool.aggregate import Tool
from infrastructure.api.app import create_app
from infrastructure.api.dependencies import ApiDependencies, Lag
from infrastructure.api.execution_views import ExecutionDetail
from infrastructure.api.live import LiveHub
from infrastructure.graphql.server import GraphQl
from infrastructure.handlers import batches_of
from infrastructure.past_runs import ProjectedRuns
from infrastructure.postgres.live import live_of
from infrastructure.users import ProjectedUsers
from projections.kernel import Projection
from tests.support.bound import record_handlers
from tests.support.credit import MemoryCredit
from tests.support.memory import (
    FixedClock,
    FixedPins,
    MemoryLog,
    MemoryNames,
    MemoryRepository,
)
from tests.support.memory_past import MemoryPast
from tests.support.nothing_signed import NothingSigned
from tests.support.payloads import MemoryPayloads
from tests.support.probes import PACKAGES, FakeProber
from tests.support.projecting import ReadModels
from tests.support.providers import provider_handlers
from tests.support.routes import routed_models
from tests.support.run_world import (
    FakeAlarms,
    ScriptedEvaluator,
    ScriptedOptimizer,
    ScriptedProgram,
    WorldEngine,
)
from tests.support.sagas import Shop, webhook_handlers, workflow_handlers
from tests.support.supplies import ALLOWED

SYNTAX = "message: str -> queue: Literal['bug','billing','howto','feature']"


@dataclass
class FakeLag:
    """A read model that is where the test says."""

    name: str = "executions"
    version: int = 1
    position: int = 7
    head: int = 9
    behind_s: float = 0.5
    heartbeat_age_s: float = 0.25
    parked: int = 0
    parked_because: str | None = None
    failure: str | None = None


@dataclass
class NotedAttempts:
    """Commands that left no event, in memory."""

    noted: list[Attempt] = field(default_factory=list[Attempt])

    def note(self, attempt: Attempt) -> None:
        self.noted.append(attempt)


class _Expectation:
    def __init__(self, world: "ApiWorld") -> None:
        self._world = world

    async def await_(self, timeout_s: float) -> bool:
        """What a worker would do meanwhile, or else the whole wait in vain."""
        if self._world.has_worker:
            self._world.work()
            return True
        await anyio.sleep(timeout_s)
        return False

    def fulfil(self) -> None:
        """Nobody sleeps for long."""


class ApiWorld:
    """Everything behind the API; without *models* nothing can be listed."""

    def __init__(self, models: ReadModels | None = None) -> None:
        self.models = models
        self.payloads, self.clock = MemoryPayloads(), FixedClock()
        self.log = MemoryLog(inline=(self.payloads.inline,))
        self.credit = MemoryCredit(lambda: self.log.recorded)
        self.runner = ScriptedProgram(asks=["first", "second"])
        self.optimizer = ScriptedOptimizer(self.runner)
        self.prober = FakeProber()
        self.shop = Shop()
        self.has_worker = True
        self.attempts = NotedAttempts()
        self.live = LiveHub(live_of)
        self.lags: Callable[[], Sequence[Lag]] = lambda: [FakeLag()]
        self.bus = self._bus()
        self._projected = self._worked = 0

    @property
    def dependencies(self) -> ApiDependencies:
        return ApiDependencies(
            dispatch=self.dispatch,
            store=self.models.store if self.models else self,
            past=MemoryPast(self.log, self.models),
            payloads=self.payloads,
            names=MemoryNames(self.log),
            history=self.log.stream,
            events=self.events,
            everything=self.events,
            head=lambda: len(self.log.recorded),
            expect=self.expect,
            wait_for=lambda position, timeout_s: None,
            lags=self.lags,
            proofs=NothingSigned(),
            attempts=self.attempts,
            credit=self.credit,
            ids=uuid4,
            tracing=NoTracing(),
            version="1.2.3",
            live=self.live,
        )

    def app(self, **changes: Any) -> FastAPI:
        """The API over this world, with some dependencies of the test's own."""
        return create_app(replace(self.dependencies, **changes), GraphQl(ExecutionDetail))

    def client(self, tenant: str = "default", **changes: Any) -> TestClient:
        return TestClient(self.app(**changes), headers={"X-Stratal-Tenant": tenant})

    def rows(
        self, sql: str, params: object, *, of: type[Projection] | None = None
    ) -> Sequence[dict[str, object]]:
        """A read store without rows."""
        del sql, params, of
        return []

    def dispatch(self, command: Command, context: Context) -> Receipt:
        receipt = self.bus.dispatch(command, context, self.log.find)
        self._project()
        return receipt

    def events(
        self,
        after_position: int,
        limit: int,
        *,
        tenant: str | None = None,
        topics: Sequence[str] = (),
        stop: int | None = None,
    ) -> Sequence[Recorded]:
        found = self.log.recorded[after_position:stop]
        mine = [each for each in found if tenant in (None, each.envelope.tenant)]
        return [each for each in mine if not topics or each.event.TOPIC in topics][:limit]

    @contextmanager
    def expect(
        self, stream_id: UUID, topics: frozenset[str]
    ) -> Generator[_Expectation, None, None]:
        del stream_id, topics
        yield _Expectation(self)

    def work(self) -> None:
        """Carry out what follows from every fact so far, as workers do."""
        while self._worked < len(self.log.recorded):
            recorded = self.log.recorded[self._worked]
            self._worked += 1
            for command in reactions(recorded):
                envelope = recorded.envelope
                context = Context(
                    tenant=envelope.tenant,
                    actor="worker",
                    correlation_id=envelope.correlation_id,
                    command_id=f"{envelope.event_id}",
                    causation_id=envelope.event_id,
                    roles=AS_WORKER,
                )
                self.dispatch(command, context)

    def _project(self) -> None:
        new = self.log.recorded[self._projected :]
        self._projected += len(new)
        if self.models is not None and new:
            self.models.project(new)

    def _bus(self) -> CommandBus:
        repository = self._repository
        programs, datasets = repository(Program), repository(Dataset)
        modules, signatures = repository(Module), repository(Signature)
        evaluations, executions = repository(Evaluation), repository(Execution)
        probes = repository(Probe)
        ticks = count()
        tools = repository(Tool)
        supplies = Supplies(programs, datasets, tools, self.payloads, ALLOWED)
        engine = self.engine = WorldEngine(
            self.runner, ScriptedEvaluator(self.runner), self.optimizer
        )
        timed: dict[str, Any] = {
            "payloads": self.payloads,
            "supplies": supplies,
            "engine": engine,
            "clock": self.clock,
            "monotonic": lambda: next(ticks) * 0.25,
        }
        prices = RememberedPrices(repository(Price), lambda: 0.0)
        run = timed | {"programs": programs, "worker": "worker-1", "prices": prices}
        models = routed_models(self.log, prices)
        running = ExecutionHandlers(
            executions=executions,
            alarms=FakeAlarms(),
            credit=self.credit,
            models=models,
            **run,
        )
        batches, counterfactuals = batches_of(repository(Batch), running, self._past_runs())
        graphs = GraphReader(modules, signatures, supplies, probes)
        shelf = SignatureShelf(signatures, MemoryNames(self.log), self.clock)
        return CommandBus(
            SignatureHandlers(signatures, shelf, self._users(), self.clock),
            ModuleHandlers(modules, signatures, shelf, supplies, self.clock),
            ProgramHandlers(programs, graphs, evaluations, FixedPins(), self.clock),
            ProbeHandlers(probes, signatures, self.prober, PACKAGES, self.clock),
            VersionHandlers(programs, graphs, self.payloads, FixedPins(), self.clock),
            ExchangeHandlers(programs, graphs, self.clock),
            DatasetHandlers(datasets, self.clock),
            PastRunHandlers(datasets, self._past_runs(), self.payloads, self.clock),
            ToolHandlers(tools, supplies, self.clock),
            KeyHandlers(repository(ApiKey), self.clock),
            running,
            *(batches, counterfactuals),
            GenerationHandlers(
                repository(Provider),
                *(programs, running.request, batches.request_batch, self.clock),
            ),
            BudgetHandlers(repository(Budget), self.credit, self.clock),
            PriceHandlers(repository(Price), prices, self.clock),
            PurgeHandlers(repository(CachePurge), programs, self.clock),
            *record_handlers(self.log, self.payloads, self.clock, running.request),
            *workflow_handlers(self.log, self.payloads, self.clock, running, self.shop),
            webhook_handlers(self.log, self.clock),
            provider_handlers(self.log, self.clock, models),
            RouteHandlers(repository(Route), self.clock, models),
            ReplayHandlers(executions=executions, models=models, **timed),
            OptimizationHandlers(
                optimizations=repository(Optimization),
                datasets=datasets,
                **run,
            ),
            EvaluationHandlers(
                evaluations=evaluations,
                datasets=datasets,
                **run,
            ),
        )

    def _users(self) -> ProjectedUsers:
        store = self.models.store if self.models else self
        return ProjectedUsers(store, lambda: 0, lambda position, timeout_s: None)

    def _past_runs(self) -> ProjectedRuns:
        store = self.models.store if self.models else self
        return ProjectedRuns(store, lambda: 0, lambda position, timeout_s: None)

    def _repository(self, kind: type[Any]) -> MemoryRepository[Any]:
        return MemoryRepository(kind, self.log)


def a_program(api: TestClient, name: str = "triage") -> str:
    """A program of one module; returns its id."""
    modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
    reply = api.post("/v1/programs", json={"name": name, "modules": modules})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def a_dataset(api: TestClient, name: str = "tickets") -> str:
    """A dataset with two rows in each part; returns its id."""
    dataset = api.post("/v1/datasets", json={"name": name}).json()["id"]
    rows = [{"message": "It crashes.", "queue": "bug"}, {"message": "Invoice?", "queue": "billing"}]
    for split in ("train", "heldout"):
        reply = api.post(f"/v1/datasets/{dataset}/rows?split={split}", json=rows)
        assert reply.status_code == 201, reply.text
    return str(dataset)


def seconds(work: Callable[[], object]) -> float:
    """How long *work* takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
