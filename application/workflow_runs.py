"""Starting a workflow, carrying it on step by step, and calling it off."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from pydantic import JsonValue, PositiveInt

from application.attempts import ComeBackLater, insist
from application.authorization import Permission
from application.commands import Command, handles
from application.context import current, within
from application.deeds import DeedFailed, Deeds
from application.errors import ConcurrentWrite
from application.payloads import Payload
from application.pointing import beneath
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.reasons import NO_REASON
from application.runnable import json_object
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.validation import validate_arguments, validate_inputs
from domain.text import JsonObject, LongText
from domain.workflow.aggregate import Workflow
from domain.workflow.values import RESULT, Step
from domain.workflow.wiring import given_to, holds
from domain.workflow_run.aggregate import WorkflowRun

Values = Mapping[str, JsonValue]


class StartWorkflow(Command):
    """Without a version the latest one runs."""

    run_id: UUID
    workflow_id: UUID
    workflow_version: PositiveInt | None = None
    inputs: JsonObject = {}


class AdvanceWorkflowRun(Command):
    """Carry the next step out, unless the run has moved on since *turn*."""

    run_id: UUID
    turn: PositiveInt


class CancelWorkflowRun(Command):
    """A step under way ends first; then what was done is undone, the latest first."""

    run_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class UndoWorkflowRun(Command):
    """Try once more to undo what could not be undone."""

    run_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class WorkflowRunHandlers:
    """``worker`` names this process in the log."""

    runs: Repository[WorkflowRun]
    workflows: Repository[Workflow]
    payloads: PayloadStore
    deeds: Deeds
    clock: Clock
    worker: str

    @handles(StartWorkflow, Permission.EXECUTE)
    def start(self, command: StartWorkflow) -> Receipt:
        workflow = self.workflows.get(command.workflow_id)
        workflow.require_in_service()
        version = command.workflow_version or workflow.latest_version
        inputs = Payload.of(_checked(workflow.spec_of(version).inputs, command.inputs))
        run = WorkflowRun.start(
            command.run_id,
            workflow_id=workflow.id,
            workflow_version=version,
            inputs=inputs.ref,
            at=self.clock.now(),
        )
        return self.runs.save(run, payloads=[inputs])

    @handles(CancelWorkflowRun, Permission.EXECUTE)
    def cancel(self, command: CancelWorkflowRun) -> Receipt:
        def decide(run: WorkflowRun) -> None:
            run.expect(command.expected_version)
            run.cancel(command.reason, at=self.clock.now())

        return insist(self.runs, command.run_id, decide)

    @handles(UndoWorkflowRun, Permission.EXECUTE)
    def undo(self, command: UndoWorkflowRun) -> Receipt:
        run = self.runs.get(command.run_id)
        run.expect(command.expected_version)
        run.undo_again(at=self.clock.now())
        return self.runs.save(run)

    @handles(AdvanceWorkflowRun, Permission.WORK)
    def advance(self, command: AdvanceWorkflowRun) -> Receipt:
        # A run appends many times for one command: its receipt must not swallow them.
        with within(replace(current(), fingerprint=None)):
            run = self.runs.get(command.run_id)
            if run.turn != command.turn or run.status.is_terminal:
                return _unchanged(run)
            if wait_s := run.waits(self.clock.now()).total_seconds():
                raise ComeBackLater(wait_s)
            try:
                return self._move(run)
            except ConcurrentWrite:  # it was cancelled, or a twin of this delivery has it
                return _unchanged(self.runs.get(run.id))

    def _move(self, run: WorkflowRun) -> Receipt:
        spec = self.workflows.get(run.workflow_id).spec_of(run.workflow_version)
        step, at = run.next_step(spec), self.clock.now()
        if step is None:
            run.end(at=at)
            return self.runs.save(run)
        inputs = json_object(self.payloads.get(run.inputs))
        outputs = {name: json_object(self.payloads.get(ref)) for name, ref in run.done.items()}
        is_wanted = step.when is None or run.is_done(step) or holds(step.when, inputs, outputs)
        if not is_wanted:
            run.skip(step, at=at)
            return self.runs.save(run)
        return self._carry_out(run, step, given_to(run.action_on(step), inputs, outputs))

    def _carry_out(self, run: WorkflowRun, step: Step, given: Values) -> Receipt:
        kept, action, at = Payload.of(dict(given)), run.action_on(step), self.clock.now()
        key = uuid5(run.id, f"{'undo' if run.is_done(step) else 'do'} {step.name}")
        attempt = run.begin_step(step, kept.ref, self.worker, at=at)
        receipt = self.runs.save(run, payloads=[kept])
        if attempt is None:
            return receipt
        try:
            failures = run.failures_of(step)
            found = self.deeds.perform(action, given, run=run.id, key=key, failures=failures)
        except DeedFailed as error:
            return self._failed(run.id, step, attempt, error)
        outputs = Payload.of(dict(found))

        def complete(held: WorkflowRun) -> None:
            held.complete_step(step, attempt, outputs.ref, at=self.clock.now())

        return insist(self.runs, run.id, complete, (outputs,))

    def _failed(self, id: UUID, step: Step, attempt: int, error: DeedFailed) -> Receipt:
        def fail(held: WorkflowRun) -> None:
            held.fail_step(step, attempt, error.failure, at=self.clock.now())

        return insist(self.runs, id, fail)


def _checked(fields: tuple[FieldSpec, ...], values: Values) -> dict[str, JsonValue]:
    """*values* as what a workflow takes.

    Raises:
        ValuesDoNotFit: They are not; the error names every fault.
    """
    if not fields:
        with beneath("/inputs"):
            return validate_arguments(fields, values)
    return validate_inputs(SignatureSpec(inputs=fields, outputs=(RESULT,)), values, at="/inputs")


def _unchanged(run: WorkflowRun) -> Receipt:
    return Receipt(run.id, run.version, 0)
