"""The composition root: the one place where adapters meet. Constructors only, no decisions."""

import os
import socket
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, Protocol

from application.caching import Caches
from application.circuits import Circuits
from application.commands import Command, CommandBus
from application.context import Context
from application.datasets import DatasetHandlers
from application.deeds import Deeds
from application.evaluations import EvaluationHandlers
from application.exchange import ExchangeHandlers
from application.executions import ExecutionHandlers
from application.extensions import Extensions, Plugins
from application.graphs import GraphReader
from application.keys import KeyHandlers
from application.lm_ports import Engine
from application.models import Models
from application.modules import ModuleHandlers
from application.optimizations import OptimizationHandlers
from application.past_runs import PastRunHandlers
from application.policies import reactions
from application.ports import Receipt
from application.probes import ProbeHandlers
from application.probing import ModuleProber
from application.programs import ProgramHandlers
from application.purges import PurgeHandlers
from application.replays import ReplayHandlers
from application.shelf import SignatureShelf
from application.signatures import SignatureHandlers
from application.streaming import Audiences
from application.supplies import Supplies
from application.tool_ports import KeyedToolbox
from application.tools import ToolHandlers
from application.tracing import Tracing
from application.turns import Turns
from application.versions import VersionHandlers
from application.warming import WarmingHandlers, warming
from domain.access.aggregate import ApiKey
from domain.cache.aggregate import CachePurge
from domain.dataset.aggregate import Dataset
from domain.evaluation.aggregate import Evaluation
from domain.execution.aggregate import Execution
from domain.module.aggregate import Module
from domain.optimization.aggregate import Optimization
from domain.probe.aggregate import Probe
from domain.program.aggregate import Program
from domain.signature.aggregate import Signature
from domain.tool.aggregate import Tool
from domain.values import Reading
from infrastructure.caches import open_caches
from infrastructure.elsewhere import Elsewhere
from infrastructure.eventstore.migrations import MIGRATIONS as LOG_MIGRATIONS
from infrastructure.eventstore.projection_migrations import MIGRATIONS as PROJECTION_MIGRATIONS
from infrastructure.eventstore.receipts import PostgresNames
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository, InlineWriter
from infrastructure.handlers import (
    batch_handlers,
    outward_handlers,
    record_handlers,
    records,
    workflow_handlers,
)
from infrastructure.limits import provider_turns
from infrastructure.line.place import folder
from infrastructure.model_offers import offered_models
from infrastructure.money import Money, money
from infrastructure.notary.migrations import MIGRATIONS as NOTARY_MIGRATIONS
from infrastructure.past_runs import ProjectedRuns
from infrastructure.payloads.store import MIGRATIONS as PAYLOAD_MIGRATIONS
from infrastructure.payloads.store import PostgresPayloadStore, insert_payloads
from infrastructure.pins import InstalledPins, installed_dspy
from infrastructure.pools import POOLS
from infrastructure.postgres.attempts import MIGRATIONS as ATTEMPT_MIGRATIONS
from infrastructure.postgres.budgets import MIGRATIONS as BUDGET_MIGRATIONS
from infrastructure.postgres.budgets import write_budgets
from infrastructure.postgres.caches import MIGRATIONS as CACHE_MIGRATIONS
from infrastructure.postgres.caches import write_purges
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.live import LiveTeller
from infrastructure.postgres.migrations import check_migrated, migrate
from infrastructure.postgres.paths import connectable
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.postgres.rates import MIGRATIONS as RATE_MIGRATIONS
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.postgres.roles import Access, Rights, check_role, grant
from infrastructure.postgres.safety import check_server
from infrastructure.settings import Settings
from infrastructure.system import SystemClock
from infrastructure.telemetry.setup import build_metrics, build_tracing
from infrastructure.users import ProjectedUsers
from infrastructure.watch import Watch
from infrastructure.webhooks.cursors import MIGRATIONS as WEBHOOK_MIGRATIONS
from infrastructure.workers.born import Births
from infrastructure.workers.broadcast import BroadcastWriter
from infrastructure.workers.hooks import MIGRATIONS as POLICY_MIGRATIONS
from infrastructure.workers.jobs import JobWriter
from infrastructure.workers.lanes import LANES
from infrastructure.workers.migrations import MIGRATIONS as JOB_MIGRATIONS
from projections.registry import PROJECTIONS


class Runtime(Protocol):
    """What runs and optimizes programs, and tries modules out."""

    @property
    def engine(self) -> Engine: ...
    @property
    def close(self) -> Callable[[], None]: ...
    @property
    def prober(self) -> ModuleProber: ...
    @property
    def toolbox(self) -> KeyedToolbox: ...
    @property
    def plugins(self) -> Plugins: ...
    @property
    def circuits(self) -> Circuits: ...


@dataclass(frozen=True, slots=True)
class System:
    """What every process has. ``pool`` shows the rows of the tenant at work, ``whole`` all."""

    settings: Settings
    conninfo: str
    pool: Pool
    whole: Pool
    log: EventLog
    payloads: PostgresPayloadStore
    names: PostgresNames
    tracing: Tracing
    alarms: Watch
    bus: CommandBus
    births: Births

    def dispatch(self, command: Command, context: Context) -> Receipt:
        """Carry *command* out; one that came before, by its key, is answered from its receipt.

        Raises:
            PermissionIsMissing: Whoever asks may not; nothing was looked at.
        """
        with self.tracing.span(f"command {type(command).__name__}"):
            return self.bus.dispatch(command, context, self.log.receipts.find)


def migrations() -> Sequence[tuple[str, LiteralString]]:
    """Every table of ours, in the order it came to be."""
    return (
        *LOG_MIGRATIONS,
        *PAYLOAD_MIGRATIONS,
        *JOB_MIGRATIONS,
        *PROJECTION_MIGRATIONS,
        *NOTARY_MIGRATIONS,
        *ATTEMPT_MIGRATIONS,
        *WEBHOOK_MIGRATIONS,
        *POLICY_MIGRATIONS,
        *RATE_MIGRATIONS,
        *BUDGET_MIGRATIONS,
        *CACHE_MIGRATIONS,
    )


RIGHTS = Rights(
    changes=(
        "jobs",
        "projections",
        "parked",
        "attempts",
        "webhook_cursors",
        "policy_positions",
        "lm_rates",
        "paused_queues",
        "budgets",
        "cache",
        "cache_purges",
    ),
    adds=("payloads", "notary_log", "notary_leaves", "notary_nodes", "checkpoints"),
)
"""The tables that the service writes by itself; the log is not among them."""


@contextmanager
def database(settings: Settings) -> Generator[Access, None, None]:
    """The addresses of the database; an embedded one that was not running stops with the block."""
    if settings.database_url is not None:
        yield Access(settings.database_url, settings.database_owner_url)
        return
    embedded = EmbeddedPostgres(settings.home)
    was_running = embedded.status().state == "running"
    try:
        yield _started(embedded)
    finally:
        if not was_running:
            embedded.stop()


def prepare(access: Access) -> str:
    """Refuse an unsafe server or role; as the owner, bring the tables and rights up to date first.

    Returns the name of the service's role.

    Raises:
        PostgresError: The server may lose what it acknowledges, holds a newer schema or lacks
            tables that the service's role cannot make; or that role could change the log.
    """
    check_server(access.service)
    return prepare_tables(access)


def prepare_tables(access: Access) -> str:
    """The same without a look at the server's settings."""
    if access.owner is not None:
        migrate(access.owner, migrations())
        grant(access, RIGHTS)
    role = check_role(access.service, RIGHTS)
    check_migrated(access.service, migrations())
    return role


def connect(settings: Settings) -> str:
    """The service's address of a ready database: for a process that was started alone."""
    if settings.database_url is None:
        access = _started(EmbeddedPostgres(settings.home))
    else:
        access = Access(settings.database_url, settings.database_owner_url)
    prepare(access)
    return access.service


def lines(system: System) -> Path:
    """Where workers of this machine listen for requests: private, with room for their names."""
    place = folder(system.settings.home, system.conninfo)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return connectable(place)


def _started(embedded: EmbeddedPostgres) -> Access:
    return Access(owner=embedded.start(), service=embedded.service_url)


@contextmanager
def system(
    settings: Settings,
    service: str,
    *,
    connections: int,
    runtime: Callable[[Settings, Tracing, Turns], Runtime] | None = None,
) -> Generator[System, None, None]:
    """Everything a process needs to carry commands out, closed with the block.

    Args:
        settings: Where things are.
        service: Names the process in traces and in the database.
        connections: How many connections its walled pool may hold.
        runtime: Builds what runs programs; without it such commands are refused.
    """
    url = connect(settings)
    tracing = build_metrics(service, POOLS.states, build_tracing(service))
    with ExitStack() as stack:
        pool = stack.enter_context(
            open_pool(url, min_size=1, max_size=connections, name=f"stratal-{service}", walled=True)
        )
        whole = stack.enter_context(open_pool(url, min_size=0, max_size=4, name=f"{service}-whole"))
        recorder = PostgresRecorder(pool)
        births = Births()
        log = EventLog(recorder, inline=_inline_writers(births), tracing=tracing)
        payloads = PostgresPayloadStore(pool)
        turns = stack.enter_context(provider_turns(settings, url, pool))
        built = Elsewhere() if runtime is None else runtime(settings, tracing, turns)
        stack.callback(built.close)
        alarms = Watch()
        caches = stack.enter_context(open_caches(settings, url, pool))
        live = stack.enter_context(LiveTeller(url))
        bus = _bus(settings, log, payloads, built, alarms, caches, live.audience)
        names = PostgresNames(recorder)
        yield System(settings, url, pool, whole, log, payloads, names, tracing, alarms, bus, births)


def _inline_writers(births: Births) -> Sequence[InlineWriter]:
    return (
        lambda cursor, recorded, payloads: insert_payloads(
            cursor, recorded[0].envelope.tenant, payloads
        ),
        JobWriter(LANES, reactions, births),
        BroadcastWriter(warming),
        write_budgets,
        write_purges,
    )


def _bus(
    settings: Settings,
    log: EventLog,
    payloads: PostgresPayloadStore,
    runtime: Runtime,
    alarms: Watch,
    caches: Caches,
    audiences: Audiences,
) -> CommandBus:
    clock, pinning, funds = SystemClock(), InstalledPins(settings.lm), money(log)
    models = offered_models(settings, log, funds.prices, runtime.circuits)
    signatures = EventSourcedRepository(log, Signature)
    modules = EventSourcedRepository(log, Module)
    programs = EventSourcedRepository(log, Program)
    datasets = EventSourcedRepository(log, Dataset)
    evaluations = EventSourcedRepository(log, Evaluation)
    probes = EventSourcedRepository(log, Probe)
    tools = EventSourcedRepository(log, Tool)
    supplies = Supplies(programs, datasets, tools, payloads, settings.allowance)
    graphs = GraphReader(modules, signatures, supplies, probes)
    reading = Reading(repair=True, feedback=settings.lm_feedback)
    extensions = Extensions(settings.module_packages, runtime.plugins)
    shelf = SignatureShelf(signatures, PostgresNames(log.receipts.recorder), clock)
    return CommandBus(
        SignatureHandlers(signatures, shelf, _users(log), clock),
        ModuleHandlers(modules, signatures, shelf, supplies, clock),
        ProgramHandlers(programs, graphs, evaluations, pinning, clock, extensions),
        VersionHandlers(programs, graphs, payloads, pinning, clock),
        ExchangeHandlers(programs, graphs, clock, extensions),
        ProbeHandlers(probes, signatures, runtime.prober, settings.module_packages, clock),
        DatasetHandlers(datasets, clock),
        PastRunHandlers(datasets, _past_runs(log), payloads, clock),
        ToolHandlers(tools, supplies, clock),
        *outward_handlers(settings, log, models),
        KeyHandlers(EventSourcedRepository(log, ApiKey), clock),
        *_run_handlers(
            *(log, supplies, evaluations, runtime, alarms, reading, extensions),
            *(caches, models, audiences, funds),
        ),
    )


def _run_handlers(
    log: EventLog,
    supplies: Supplies,
    evaluations: EventSourcedRepository[Evaluation],
    runtime: Runtime,
    alarms: Watch,
    reading: Reading,
    extensions: Extensions,
    caches: Caches,
    models: Models,
    audiences: Audiences,
    funds: Money,
) -> Sequence[object]:
    engine, datasets = runtime.engine, supplies.datasets
    programs, payloads = supplies.programs, supplies.payloads
    clock, monotonic = SystemClock(), time.monotonic
    worker = f"{socket.gethostname()}:{os.getpid()}"
    credit, prices, money_handlers = funds
    executions = EventSourcedRepository(log, Execution)
    running = ExecutionHandlers(
        executions,
        *(programs, payloads, supplies, engine, clock, monotonic, alarms, worker, reading),
        installed_dspy(),
        *(credit, caches, prices, models, audiences),
    )
    ports = programs, datasets, payloads, supplies, engine, clock, monotonic, worker, reading
    learning = *ports, extensions, caches, prices
    deeds = Deeds(running, runtime.toolbox, records(log, supplies))
    return (
        running,
        *batch_handlers(log, running, _past_runs(log)),
        *money_handlers,
        PurgeHandlers(EventSourcedRepository(log, CachePurge), programs, clock),
        *record_handlers(log, supplies, executions, running.request),
        *workflow_handlers(log, supplies, deeds, worker),
        ReplayHandlers(executions, payloads, supplies, engine, clock, monotonic, models),
        WarmingHandlers(programs, supplies, engine),
        OptimizationHandlers(EventSourcedRepository(log, Optimization), *learning),
        EvaluationHandlers(evaluations, *learning),
    )


def _users(log: EventLog) -> ProjectedUsers:
    store = PostgresReadStore(log.receipts.recorder.pool, PROJECTIONS)
    return ProjectedUsers(store, log.head, store.wait_for)


def _past_runs(log: EventLog) -> ProjectedRuns:
    store = PostgresReadStore(log.receipts.recorder.pool, PROJECTIONS)
    return ProjectedRuns(store, log.head, store.wait_for)
