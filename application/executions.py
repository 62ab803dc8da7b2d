"""Wishing for a run of a program, carrying it out, and calling it off."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import PositiveInt

from application.attempts import Monotonic, Stopwatch, carry_out, insist
from application.authorization import Permission
from application.commands import Command, handles
from application.journal import Decision, ExecutionJournal, RunJournal
from application.lm_ports import ProgramRunner
from application.payloads import Payload
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.runnable import json_object, resolve_version
from application.supplies import Supplies
from domain.execution.aggregate import Execution
from domain.program.aggregate import Program
from domain.program.values import Action
from domain.signature.validation import validate_inputs
from domain.text import JsonObject, LongText
from domain.values import Failure


class RequestExecution(Command):
    """Without a version the deployed one runs, or the latest while none is deployed."""

    execution_id: UUID
    program_id: UUID
    program_version: PositiveInt | None = None
    inputs: JsonObject


class RunExecution(Command):
    execution_id: UUID


class CancelExecution(Command):
    execution_id: UUID
    reason: LongText = "No reason was given."
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionHandlers:
    """``worker`` names this process in the log."""

    executions: Repository[Execution]
    programs: Repository[Program]
    payloads: PayloadStore
    supplies: Supplies
    runner: ProgramRunner
    clock: Clock
    monotonic: Monotonic
    worker: str

    @handles(RequestExecution, Permission.EXECUTE)
    def request(self, command: RequestExecution) -> Receipt:
        program = self.programs.get(command.program_id)
        version = resolve_version(program, command.program_version, Action.EXECUTE)
        signature = program.version_state(version).graph.signature
        inputs = Payload.of(validate_inputs(signature, command.inputs, at="/inputs"))
        execution = Execution.request(
            command.execution_id,
            program_id=program.id,
            program_version=version,
            inputs=inputs.ref,
            at=self.clock.now(),
        )
        return self.executions.save(execution, payloads=[inputs])

    @handles(CancelExecution, Permission.EXECUTE)
    def cancel(self, command: CancelExecution) -> Receipt:
        def decide(execution: Execution) -> None:
            execution.expect(command.expected_version)
            execution.cancel(command.reason, at=self.clock.now())

        return insist(self.executions, command.execution_id, decide)

    @handles(RunExecution, Permission.WORK)
    def run(self, command: RunExecution) -> Receipt:
        work = _ExecutionWork(self, Stopwatch.started(self.monotonic))
        return carry_out(self.executions, command.execution_id, work)


@dataclass(frozen=True, slots=True)
class _ExecutionWork:
    ports: ExecutionHandlers
    stopwatch: Stopwatch

    def start(self, run: Execution) -> None:
        run.start(self.ports.worker, at=self.ports.clock.now())

    def journal(self, run: Execution) -> RunJournal[Execution]:
        ports = self.ports
        return ExecutionJournal(run, ports.executions, ports.payloads, ports.clock)

    def perform(self, run: Execution, journal: RunJournal[Execution]) -> Decision[Execution]:
        ports = self.ports
        version = run.program_version
        program = ports.supplies.runnable(ports.programs.get(run.program_id), version)
        inputs = json_object(ports.payloads.get(run.inputs))
        outputs = Payload.of(dict(ports.runner.run(program, inputs, journal, live=True)))
        took_ms, at = self.stopwatch.elapsed_ms, ports.clock.now()
        return Decision(
            lambda held: held.complete(outputs.ref, duration_ms=took_ms, at=at), [outputs]
        )

    def fail(self, run: Execution, failure: Failure) -> None:
        run.fail(failure, duration_ms=self.stopwatch.elapsed_ms, at=self.ports.clock.now())
