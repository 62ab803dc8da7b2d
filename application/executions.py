"""Wishing for a run of a program, carrying it out, and calling it off or giving it up."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from pydantic import JsonValue, PositiveInt

from application.attempts import Stopwatch, carry_out, insist
from application.authorization import Permission
from application.caching import NO_CACHES, Caches, Kept, Prediction, answered_by
from application.commands import Command, handles
from application.context import Context, current, within
from application.credit import NO_CREDIT, Holds, set_aside
from application.foreign import OTHER_DSPY, foreign_states
from application.journal import Decision, ExecutionJournal, RunJournal
from application.lm_ports import Engine, RunnableProgram, RunStopped
from application.models import WORKERS_MODEL, Models, RunToRoute
from application.payloads import Payload
from application.ports import Alarms, Clock, Monotonic, PayloadStore, Receipt, Repository
from application.pricing import NO_PRICES, PriceBook
from application.reacting import Reaction
from application.reasons import NO_REASON
from application.runnable import json_object, resolve_version
from application.streaming import Audiences, nobody
from application.supplies import Supplies
from application.taken import TakenUp
from application.varying import on_record
from domain.errors import NotFoundError
from domain.execution.aggregate import Execution
from domain.execution.values import Caller, Hold
from domain.program.aggregate import Program
from domain.program.caching import caches_of
from domain.program.deadline import DeadlineS, deadline_s_of
from domain.program.values import Action
from domain.route.errors import RouteIsDisabled
from domain.routing import NoModelAvailable
from domain.run import RunStatus
from domain.signature.validation import validate_inputs
from domain.text import JsonObject, LongText
from domain.values import AS_DSPY, Cache, Failure, ModelRef, PayloadRef, Reading

Save = Callable[[Execution, Payload], Receipt]
"""Stores a new run with its inputs."""


class RequestExecution(Command):
    """Without a version the deployed one runs, or the latest while none is deployed.

    Its end is told to ``caller``. It ends within ``deadline_s`` of now, or what its program says,
    or else ``usual_deadline_s``; or whenever it does, if nobody says anything. ``model`` answers,
    or what its program names, or the tenant's default, or else the model of the workers. One that
    ``varies`` another execution has the model of that one, unless it names one. ``caches`` may
    answer in its place, or else those that its program names. If it is ``streamed``, what the
    model says is told to whoever follows it, while the model says it.
    """

    execution_id: UUID
    program_id: UUID
    program_version: PositiveInt | None = None
    inputs: JsonObject
    deadline_s: DeadlineS | None = None
    usual_deadline_s: DeadlineS | None = None
    caller: Caller | None = None
    model: ModelRef | None = None
    streamed: bool = False
    caches: tuple[Cache, ...] | None = None
    varies: UUID | None = None


class TakeUpExecution(Command):
    """Request it, and take it up in this process in the same append.

    Its job then belongs to this process, or is lost with it and goes to another one.
    """

    request: RequestExecution


class RunExecution(Command):
    execution_id: UUID


class TimeOutExecution(Command):
    """End it, if its deadline has passed and it has not ended."""

    execution_id: UUID


class CancelExecution(Command):
    execution_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionHandlers:
    """``worker`` names this process in the log; answers of the model are read by ``reading``.

    ``dspy`` is the version that loads states here: what was learned under another one warns.
    """

    executions: Repository[Execution]
    programs: Repository[Program]
    payloads: PayloadStore
    supplies: Supplies
    engine: Engine
    clock: Clock
    monotonic: Monotonic
    alarms: Alarms
    worker: str
    reading: Reading = AS_DSPY
    dspy: str | None = None
    credit: Holds = NO_CREDIT
    caches: Caches = NO_CACHES
    prices: PriceBook = NO_PRICES
    models: Models = WORKERS_MODEL
    audiences: Audiences = nobody
    taken: TakenUp = field(default_factory=TakenUp)

    @handles(RequestExecution, Permission.EXECUTE)
    def request(self, command: RequestExecution) -> Receipt:
        return self._requested(command, self._store)

    @handles(TakeUpExecution, Permission.EXECUTE)
    def take_up(self, command: TakeUpExecution) -> Receipt:
        # In the log it is the wish that it was, and what follows from it.
        with within(replace(current(), command=RequestExecution.__name__)):
            return self._requested(command.request, self._store_taken_up)

    def _requested(self, command: RequestExecution, save: Save) -> Receipt:
        program = self.programs.get(command.program_id)
        version = resolve_version(program, command.program_version, Action.EXECUTE)
        signature = program.version_state(version).graph.signature
        inputs = Payload.of(validate_inputs(signature, command.inputs, at="/inputs"))
        model = self._model(command, program)
        caches = caches_of(program.config) if command.caches is None else command.caches
        deadline = _deadline(command, program, at=(now := self.clock.now()))

        def store(holds: Sequence[Hold]) -> Receipt:
            execution = Execution.request(
                command.execution_id,
                program_id=program.id,
                program_version=version,
                inputs=inputs.ref,
                deadline=deadline,
                caller=command.caller,
                holds=holds,
                # What another run is compared with is its own answers, and those on record.
                caches=() if command.varies else caches,
                model=model,
                streamed=command.streamed,
                varies=command.varies,
                at=now,
            )
            return save(execution, inputs)

        return set_aside(self.credit, program.id, store)

    def _store(self, execution: Execution, inputs: Payload) -> Receipt:
        return self.executions.save(execution, payloads=[inputs])

    def _store_taken_up(self, execution: Execution, inputs: Payload) -> Receipt:
        command = RunExecution(execution_id=execution.id)
        start = self._work(Prediction(self.caches.predictions), inputs).start
        reaction = Reaction(type(command).__name__, command.fingerprint, start)
        receipt = self.executions.save(execution, payloads=[inputs], reaction=reaction)
        if execution.status is RunStatus.RUNNING and not receipt.is_repeat:
            self.taken.keep(execution, inputs)  # a repeat stored nothing: it is another one's run
        return receipt

    def _work(self, prediction: Prediction, inputs: Payload | None) -> "_ExecutionWork":
        return _ExecutionWork(self, Stopwatch.started(self.monotonic), prediction, inputs)

    def _model(self, command: RequestExecution, program: Program) -> str | None:
        if command.varies is None or command.model is not None:
            return self.models.resolved(command.model, program.config)
        as_before = self.executions.get(command.varies).model
        return as_before and self.models.resolved(as_before, {})

    @handles(CancelExecution, Permission.EXECUTE)
    def cancel(self, command: CancelExecution) -> Receipt:
        def decide(execution: Execution) -> None:
            execution.expect(command.expected_version)
            execution.cancel(command.reason, at=self.clock.now())

        return insist(self.executions, command.execution_id, decide)

    @handles(TimeOutExecution, Permission.WORK)
    def time_out(self, command: TimeOutExecution) -> Receipt:
        def decide(execution: Execution) -> None:
            execution.time_out(at=self.clock.now())

        return insist(self.executions, command.execution_id, decide)

    @handles(RunExecution, Permission.WORK)
    def run(self, command: RunExecution) -> Receipt:
        prediction = Prediction(self.caches.predictions)
        run, inputs = self.taken.take(command.execution_id)
        work = self._work(prediction, inputs)
        try:
            return carry_out(self.executions, command.execution_id, work, run)
        finally:
            prediction.settle(self.executions, command.execution_id)


@dataclass(frozen=True, slots=True)
class _ExecutionWork:
    ports: ExecutionHandlers
    stopwatch: Stopwatch
    prediction: Prediction
    inputs: Payload | None
    """Those of the run, if they are at hand."""

    def start(self, run: Execution) -> None:
        run.start(self.ports.worker, reading=self.ports.reading, at=self.ports.clock.now())
        if run.status is RunStatus.RUNNING and run.awaits_routing:
            self._route(run)

    def _route(self, run: Execution) -> None:
        """Have a model of its route answer, which is on record before anything is called."""
        asked = RunToRoute(run.id, run.inputs.size_bytes, partial(self._inputs, run))
        try:
            routing = self.ports.models.routed(run.model, asked)
        except (NoModelAvailable, RouteIsDisabled) as error:
            may_pass = isinstance(error, NoModelAvailable) and error.may_pass
            self.fail(run, Failure(code=error.code, message=str(error), retryable=may_pass))
        else:
            assert routing is not None
            run.route(routing, at=self.ports.clock.now())

    def _inputs(self, run: Execution) -> Mapping[str, JsonValue]:
        if self.inputs is None:
            return json_object(self.ports.payloads.get(run.inputs))
        # As they are stored, key by key: a prompt may show them in their order.
        return json_object(json.loads(self.inputs.body))

    def journal(self, run: Execution) -> RunJournal[Execution]:
        ports = self.ports
        return ExecutionJournal(run, ports.executions, ports.payloads, ports.clock, ports.prices)

    def perform(self, run: Execution, journal: RunJournal[Execution]) -> Decision[Execution]:
        ports = self.ports
        supplied = ports.supplies.runnable(run.program_id, run.program_version)
        model = ports.models.chosen(run.model, fallback=run.fallback)
        program = replace(supplied, reading=run.reading, model=model)
        if (kept := self._predicted(run, program)) is not None:
            return self._ending(kept.content, filled_by=kept.filled_by.id)
        if Cache.ANSWERS in run.caches:
            journal.share(ports.caches.answers, run.program_id, answered_by(model))
        if run.streamed:
            journal.audience = ports.audiences(run.id)
        if run.varies is not None:
            journal.vary(on_record(ports.executions, run.varies, model=run.model))
        for warning in foreign_states(program, ports.dspy):
            journal.note(self._warning(warning))
        inputs = self._inputs(run)
        left_s = run.left_s(ports.clock.now())
        with ports.alarms.set(left_s, partial(self._time_out, run.id, journal, current())):
            answered = ports.engine.execute(program, inputs, journal, live=True, within_s=left_s)
        outputs = Payload.of(dict(answered))
        return self._ending(outputs.ref, outputs)

    def _predicted(self, run: Execution, program: RunnableProgram) -> Kept | None:
        """What an equal execution came to, if this one may have it and it was not erased."""
        if Cache.PREDICTIONS not in run.caches:
            return None
        left_s = run.left_s(self.ports.clock.now())
        kept = self.prediction.taken(program, run.inputs, within_s=left_s)
        if kept is not None:
            with suppress(NotFoundError):
                self.ports.payloads.get(kept.content)
                return kept
        return None

    def _ending(
        self, outputs: PayloadRef, *texts: Payload, filled_by: UUID | None = None
    ) -> Decision[Execution]:
        took_ms, at = self.stopwatch.elapsed_ms, self.ports.clock.now()
        return Decision(
            lambda held: held.complete(outputs, duration_ms=took_ms, filled_by=filled_by, at=at),
            texts,
        )

    def _warning(self, message: str) -> Decision[Execution]:
        at = self.ports.clock.now()
        return Decision(lambda held: held.warn(OTHER_DSPY, message, at=at))

    def _time_out(
        self, execution_id: UUID, journal: RunJournal[Execution], context: Context
    ) -> None:
        """Record that the time is over, while whatever has the execution still goes on."""
        with suppress(RunStopped):  # it ended, or somebody else has it
            journal.flush()  # what was paid for is booked before the end
        with within(context):
            self.ports.time_out(TimeOutExecution(execution_id=execution_id))

    def fail(self, run: Execution, failure: Failure) -> None:
        run.fail(failure, duration_ms=self.stopwatch.elapsed_ms, at=self.ports.clock.now())


def _deadline(command: RequestExecution, program: Program, *, at: datetime) -> datetime | None:
    told = (command.deadline_s, deadline_s_of(program.config), command.usual_deadline_s)
    seconds = next((each for each in told if each is not None), None)
    return None if seconds is None else at + timedelta(seconds=seconds)
