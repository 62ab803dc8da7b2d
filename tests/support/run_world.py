"""A world of fakes in which runs are requested, carried out, killed and taken up again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

from pydantic import JsonValue

from application.budgets import BudgetHandlers
from application.caching import Caches
from application.commands import Command, CommandBus
from application.context import Context, within
from application.datasets import DatasetHandlers
from application.evaluations import EvaluationHandlers
from application.executions import ExecutionHandlers, RequestExecution
from application.lm_ports import (
    CallJournal,
    Diverged,
    Engine,
    Forwarded,
    JsonObject,
    Missed,
    ModelChoice,
    OptimizedProgram,
    OptimizerJob,
    RunnableProgram,
)
from application.models import WORKERS_MODEL, Models
from application.optimizations import OptimizationHandlers
from application.payloads import Payload
from application.policies import reactions
from application.ports import Claim, Receipt
from application.prices import PriceHandlers
from application.pricing import RememberedPrices
from application.purges import PurgeHandlers
from application.reacting import Reaction
from application.replays import ReplayHandlers
from application.supplies import Supplies
from domain.budget.aggregate import Budget
from domain.cache.aggregate import CachePurge
from domain.dataset.aggregate import Dataset
from domain.evaluation.aggregate import Evaluation
from domain.execution.aggregate import Execution
from domain.kernel import Aggregate, Event
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.optimization.aggregate import Optimization
from domain.price.aggregate import Price
from domain.program.aggregate import Program
from domain.program.graph import ModuleNode, ProgramGraph, Source
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.tool.aggregate import Tool
from domain.tool.allowance import Allowance
from domain.values import AS_DSPY, NO_USAGE, Cache, Failure, Reading
from tests.support.access import EVERY_ROLE
from tests.support.caches import MemoryCache
from tests.support.credit import MemoryCredit
from tests.support.memory import NOW, FixedClock, MemoryLog, MemoryRepository
from tests.support.payloads import MemoryPayloads
from tests.support.runs import answered, key
from tests.support.streaming import Noted

A = TypeVar("A", bound=Aggregate[Any])

CONTEXT = Context(tenant="acme", actor="ada", correlation_id=uuid4(), roles=EVERY_ROLE)
SPEC = SignatureSpec(
    inputs=(FieldSpec(name="message"), FieldSpec(name="hint", optional=True)),
    outputs=(FieldSpec(name="queue"),),
)
GRAPH = ProgramGraph(
    signature=SPEC,
    nodes=(
        ModuleNode(
            id="answer",
            module=ModuleSpec(
                kind=ModuleKind.PREDICT, signature=SPEC, config=DEFAULTS[ModuleKind.PREDICT]
            ),
            inputs={"message": Source(field="message"), "hint": Source(field="hint")},
        ),
    ),
    outputs={"queue": Source(node="answer", field="queue")},
)


class Killed(BaseException):
    """What a process that is killed never sees."""


class MortalRepository(MemoryRepository[A]):
    """A repository whose process may die, or whose neighbour may write first."""

    before_save: Callable[[A], None] | None = None
    saves = 0

    def save(
        self,
        aggregate: A,
        *,
        payloads: Sequence[Payload] = (),
        claim: Claim | None = None,
        reaction: Reaction[A] | None = None,
    ) -> Receipt:
        if self.before_save is not None:
            self.before_save(aggregate)
        self.saves += 1
        return super().save(aggregate, payloads=payloads, claim=claim, reaction=reaction)


@dataclass
class ScriptedProgram:
    """A program that asks its model ``asks`` in turn, then answers ``outputs`` or fails.

    ``during`` runs while a call is at the model, ``after`` once its answer is on record.
    """

    asks: list[str] = field(default_factory=list[str])
    outputs: JsonObject = field(default_factory=lambda: {"queue": "bug"})
    error: BaseException | None = None
    during: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    made: list[str] = field(default_factory=list[str])
    ran: list[tuple[RunnableProgram, JsonObject]] = field(
        default_factory=list[tuple[RunnableProgram, JsonObject]]
    )

    def run(
        self, program: RunnableProgram, inputs: JsonObject, journal: CallJournal, *, live: bool
    ) -> JsonObject:
        self.ran.append((program, inputs))
        for name in self.asks:
            self.ask(name, journal, live=live)
        if self.error is not None:
            raise self.error
        return self.outputs

    unread: frozenset[str] = frozenset()
    """Whose answers cannot be read."""

    def ask(self, name: str, journal: CallJournal, *, live: bool = True) -> JsonObject:
        if (found := journal.find(key(name))) is not None:
            return found
        if not live:
            raise Diverged(f"{name} is not in the log.", Missed(key(name), "answer", {"ask": name}))
        call, request, response = answered(name)
        if journal.shares and (shared := journal.shared(key(name), within_s=60)) is not None:
            free = {"usage": NO_USAGE, "cost_usd": Decimal(0), "attempts": 0}
            hit = call.model_copy(update={**free, "filled_by": shared.filled_by})
            journal.record(hit, request, response)
            return shared.response
        self.made.append(name)
        self.during(name)
        journal.record(call, request, response)
        if journal.shares:
            journal.settle(key(name), is_read=name not in self.unread)
        self.after(name)
        return {"say": name}


@dataclass
class ScriptedEvaluator:
    """Asks the model once a row; a row whose message is in ``fails`` gives no answer."""

    program: ScriptedProgram
    fails: Mapping[str, Failure] = field(default_factory=dict[str, Failure])
    seen: list[JsonObject] = field(default_factory=list[JsonObject])
    read: list[Reading] = field(default_factory=list[Reading])

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        self.seen = list(batch)
        self.read.append(program.reading)
        return [self._answered(inputs, journal) for inputs in batch]

    def _answered(self, inputs: JsonObject, journal: CallJournal) -> Forwarded:
        message = str(inputs["message"])
        self.program.ask(message, journal)
        if failure := self.fails.get(message):
            return Forwarded(None, failure)
        return Forwarded(self.program.outputs, None)


@dataclass
class ScriptedOptimizer:
    """Scores ``trials`` candidates, each after one call of the model, and takes the last.

    With ``found`` it ends with that state instead.
    """

    program: ScriptedProgram
    trials: Sequence[float] = (0.25, 0.5)
    versions: dict[str, str] = field(default_factory=lambda: {"dspy": "3.4.1"})
    jobs: list[OptimizerJob] = field(default_factory=list[OptimizerJob])
    found: JsonObject | None = None

    def pins(self, seed: int) -> dict[str, str]:
        return {**self.versions, "seed": str(seed)}

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        self.jobs.append(job)
        for number, score in enumerate(self.trials, start=1):
            self.program.ask(f"trial {number}", journal)
            on_trial(number, score, {"trial": number})
        if self.program.error is not None:
            raise self.program.error
        return OptimizedProgram(self.found or {"trial": len(self.trials)}, self.trials[-1])


class Optimizes(Protocol):
    """What an engine of a test is told to do when it is to optimize."""

    def pins(self, seed: int) -> dict[str, str]: ...

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram: ...


@dataclass
class WorldEngine:
    """An engine of the three fakes; ``left_s`` is how long each execution was given."""

    runner: ScriptedProgram
    evaluator: ScriptedEvaluator
    optimizer: Optimizes
    left_s: list[float | None] = field(default_factory=list[float | None])
    models: list[ModelChoice | None] = field(default_factory=list[ModelChoice | None])

    def configure(self, model: ModelChoice) -> None:
        raise AssertionError("nothing here has a model")

    def create_module(self, module: ModuleSpec) -> None:
        """Whatever it is, it is scripted."""

    def create_program(self, program: RunnableProgram) -> None:
        """Whatever it is, it is scripted."""

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        self.left_s.append(within_s)
        self.models.append(program.model)
        return self.runner.run(program, inputs, journal, live=live)

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        return self.evaluator.forward(program, batch, journal)

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        return self.optimizer.optimize(job, journal, on_trial)

    def pins(self, seed: int) -> dict[str, str]:
        return self.optimizer.pins(seed)


@dataclass
class FakeAlarms:
    """Alarms that ring when a test says so; ``waiting`` are those of blocks that go on."""

    waiting: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])
    asked: list[float | None] = field(default_factory=list[float | None])

    @contextmanager
    def set(self, after_s: float | None, ring: Callable[[], object]) -> Iterator[None]:
        self.asked.append(after_s)
        if after_s is None:
            yield
            return
        self.waiting.append(ring)
        try:
            yield
        finally:
            self.waiting.remove(ring)

    def ring(self) -> None:
        """The time of everything that waits is over."""
        for each in list(self.waiting):
            each()


class World:
    """Every handler over one memory log, and a bus that also does what follows from a fact."""

    dspy: str | None = None
    """The version that loads states in this world."""
    reading: Reading = AS_DSPY
    """How its workers read answers."""
    models: Models = WORKERS_MODEL
    """What its runs may name."""

    def __init__(self) -> None:
        self.payloads, self.clock = MemoryPayloads(), FixedClock()
        self.log = MemoryLog(inline=(self.payloads.inline,))
        self.programs = MortalRepository(Program, self.log)
        self.datasets = MortalRepository(Dataset, self.log)
        self.budgets = MortalRepository(Budget, self.log)
        self.executions = MortalRepository(Execution, self.log)
        self.optimizations = MortalRepository(Optimization, self.log)
        self.evaluations = MortalRepository(Evaluation, self.log)
        self.supplies = Supplies(
            self.programs,
            self.datasets,
            MortalRepository(Tool, self.log),
            self.payloads,
            Allowance(),
        )
        self.runner = ScriptedProgram()
        self.evaluator = ScriptedEvaluator(self.runner)
        self.optimizer = ScriptedOptimizer(self.runner)
        self.alarms = FakeAlarms()
        self.engine = WorldEngine(self.runner, self.evaluator, self.optimizer)
        self.answers, self.predictions = MemoryCache(), MemoryCache()
        self.caches = Caches(self.answers, self.predictions)
        self.audiences: dict[UUID, Noted] = {}
        self.credit = MemoryCredit(lambda: self.log.recorded)
        self.book = MortalRepository(Price, self.log)
        self.prices = RememberedPrices(self.book, lambda: 0.0)
        self.bus = self.bus_with(self.engine)

    def bus_with(self, engine: Engine) -> CommandBus:
        """A bus whose runs are carried out by *engine*; every stopwatch ticks 250 ms."""
        ticks = count()
        replay: dict[str, Any] = {
            "payloads": self.payloads,
            "supplies": self.supplies,
            "engine": engine,
            "clock": self.clock,
            "monotonic": lambda: next(ticks) * 0.25,
        }
        run = {**replay, "programs": self.programs, "worker": "worker-1"}
        run["prices"] = self.prices
        learn = {**run, "datasets": self.datasets, "caches": self.caches}
        running = ExecutionHandlers(
            executions=self.executions,
            alarms=self.alarms,
            dspy=self.dspy,
            reading=self.reading,
            credit=self.credit,
            caches=self.caches,
            audiences=self.audience,
            models=self.models,
            **run,
        )
        return CommandBus(
            DatasetHandlers(self.datasets, self.clock),
            BudgetHandlers(self.budgets, self.credit, self.clock),
            PriceHandlers(self.book, self.prices, self.clock),
            PurgeHandlers(MortalRepository(CachePurge, self.log), self.programs, self.clock),
            running,
            *self.beside(running.request),
            ReplayHandlers(executions=self.executions, models=self.models, **replay),
            OptimizationHandlers(optimizations=self.optimizations, reading=self.reading, **learn),
            EvaluationHandlers(evaluations=self.evaluations, reading=self.reading, **learn),
        )

    def audience(self, execution_id: UUID) -> Noted:
        """Who follows an execution; there is nobody before it is asked for."""
        return self.audiences.setdefault(execution_id, Noted())

    def beside(self, request: Callable[[RequestExecution], Receipt]) -> Sequence[object]:
        """Handlers of a larger world, which may *request* executions."""
        del request
        return ()

    def do(self, command: Command, context: Context = CONTEXT) -> Receipt:
        return self.bus.dispatch(command, context)

    def react(self) -> None:
        """Carry out what follows from all facts so far, once."""
        for recorded in list(self.log.recorded):
            for command in reactions(recorded):
                self.do(command)

    def a_program(self, graph: ProgramGraph = GRAPH, *caches: Cache) -> UUID:
        """A program in draft, of one module unless *graph* says otherwise."""
        config: dict[str, JsonValue] = {"cache": list(caches)} if caches else {}
        program = Program.create(uuid4(), "triage", graph, config=config, at=NOW)
        with within(CONTEXT):
            self.programs.save(program)
        return program.id

    def change_program(self, id: UUID, change: Callable[[Program], object]) -> None:
        with within(CONTEXT):
            program = self.programs.get(id)
            change(program)
            self.programs.save(program)

    def events(self, id: UUID) -> list[Event]:
        return [recorded.event for recorded in self.log.stream(id)]

    def stored(self, content: JsonValue) -> bool:
        """Whether a text with this content is in the store."""
        with within(CONTEXT), suppress(LookupError):
            return self.payloads.get(Payload.of(content).ref) == content
        return False
