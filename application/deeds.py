"""Carrying an action of a workflow out, so that a repeat does nothing twice where that can be.

Each is told by an id that is the same however often the step is taken up: the execution has it, the
change of a record has it in its receipt, and an HTTP tool gets it as its ``Idempotency-Key``.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, assert_never
from uuid import UUID, uuid5

from pydantic import JsonValue, ValidationError

from application.attempts import ComeBackLater
from application.context import current, within
from application.errors import AggregateNotFound, ConcurrentWrite
from application.executions import ExecutionHandlers, RequestExecution, RunExecution
from application.records import RecordHandlers, UpdateRecord
from application.runnable import json_object
from application.scrubbing import scrubbed, scrubbed_text
from application.tool_ports import KeyedToolbox, ToolFailed
from domain.errors import ConflictError, DomainError, InvalidError, NotFoundError, SpentError
from domain.execution.aggregate import Execution
from domain.execution.values import Caller
from domain.run import RunStatus
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.validation import validate_arguments, validate_outputs
from domain.text import mended
from domain.values import Failure
from domain.workflow.values import (
    RECORD_ID,
    RESULT,
    Action,
    ProgramAction,
    RecordAction,
    ToolAction,
)
from domain.workflow_run.aggregate import WorkflowRun

Values = Mapping[str, JsonValue]

LOOK_AGAIN_S: Final = 1.0
"""Somebody else carries the execution on: the sweep may have queued it."""

_HOPELESS: Final = frozenset(
    {"tool.arguments_invalid", "tool.not_allowed", "tool.unavailable", "tool.result_invalid"}
)
"""What a second try cannot change."""


class DeedFailed(Exception):
    """The action came to nothing; ``failure`` says why, and whether a second try may help."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Deeds:
    """Runs programs by *executing*, here and now, calls tools by *toolbox*, changes *records*."""

    executing: ExecutionHandlers
    toolbox: KeyedToolbox
    records: RecordHandlers

    def perform(
        self, action: Action, given: Values, *, run: UUID, key: UUID, failures: int
    ) -> Values:
        """What *action* gives for the values *given*.

        Args:
            action: What is to be done.
            given: By the name of what it takes.
            run: The run of the workflow that it is done for; a program is told who calls it.
            key: Names the step and whether it is done or undone, in every try.
            failures: How often it failed before. A program that failed is run anew.

        Raises:
            DeedFailed: It came to nothing.
            ComeBackLater: It goes on elsewhere.
            RunInterrupted, StoreIsUnavailable: It goes on later.
        """
        match action:
            case ProgramAction():
                return self._ran(action, given, run, uuid5(key, str(failures)))
            case ToolAction():
                return self._called(action, given, key)
            case RecordAction():
                return self._changed(action, given, key)
            case _:
                assert_never(action)

    def _ran(self, action: ProgramAction, given: Values, run: UUID, id: UUID) -> Values:
        executions = self.executing.executions
        try:
            executions.get(id)
        except AggregateNotFound:
            self._request(action, given, run, id)
        self.executing.run(RunExecution(execution_id=id))
        execution = executions.get(id)
        if execution.status is RunStatus.COMPLETED:
            assert execution.outputs is not None
            return json_object(self.executing.payloads.get(execution.outputs))
        if not execution.status.is_terminal:
            raise ComeBackLater(LOOK_AGAIN_S)
        raise DeedFailed(_why(execution))

    def _request(self, action: ProgramAction, given: Values, run: UUID, id: UUID) -> None:
        wish = RequestExecution(
            execution_id=id,
            program_id=action.program_id,
            program_version=action.program_version,
            inputs=dict(given),
            caller=Caller(kind=WorkflowRun.KIND, id=run),
        )
        try:
            with suppress(ConcurrentWrite):  # a twin of this delivery was first
                self.executing.request(wish)
        except SpentError as error:  # runs that end give back, and somebody may grant more
            failure = Failure(code=error.code, message=scrubbed_text(str(error)), retryable=True)
            raise DeedFailed(failure) from error
        except (InvalidError, ConflictError, NotFoundError) as error:
            raise DeedFailed(Failure(code=error.code, message=_all_of(error))) from error

    def _called(self, action: ToolAction, given: Values, key: UUID) -> Values:
        try:
            arguments = validate_arguments(action.tool.arguments, given)
        except ValuesDoNotFit as error:
            failure = Failure(code="tool.arguments_invalid", message=_all_of(error))
            raise DeedFailed(failure) from error
        try:
            found = self.toolbox.call(action.tool, arguments, key=str(key))
        except ToolFailed as error:
            raise DeedFailed(_judged(scrubbed(error.failure))) from error
        except Exception as error:  # a function of somebody's own may raise anything
            message = scrubbed_text(f"{type(error).__name__}: {error}")
            failure = Failure(code="tool.failed", message=message, retryable=True)
            raise DeedFailed(failure) from error
        return _kept(action.promises, found)

    def _changed(self, action: RecordAction, given: Values, key: UUID) -> Values:
        """Set the fields, and tell what they held before, also if it is done a second time."""
        patch = {name: value for name, value in given.items() if name != RECORD_ID.name}
        values = {"record_id": given[RECORD_ID.name], "resource": action.resource, "patch": patch}
        try:
            wish = UpdateRecord.model_validate(values)
            # The receipt of a change knows which version it made, however often it is asked for.
            once = replace(current(), command_id=f"step {key}", fingerprint=wish.fingerprint)
            with within(once):
                receipt = self.records.update(wish)
        except ValidationError as error:
            failure = Failure(code="record.inputs_invalid", message=scrubbed_text(str(error)))
            raise DeedFailed(failure) from error
        except ConcurrentWrite as error:
            message = "Others changed the record at the same time, again and again."
            raise DeedFailed(Failure(code=error.code, message=message, retryable=True)) from error
        except (InvalidError, ConflictError, NotFoundError) as error:
            raise DeedFailed(Failure(code=error.code, message=_all_of(error))) from error
        changes, version = self.records.changes, receipt.version - bool(receipt.position)
        before = changes.records.get(wish.record_id, version=version)
        held = json_object(changes.payloads.get(before.data))
        return {name: held.get(name) for name in patch}


def _why(execution: Execution) -> Failure:
    if execution.failure is None:
        message = f"Execution {execution.id} was cancelled."
        return Failure(code="execution.cancelled", message=message)
    return execution.failure.model_copy(update={"retryable": True})


def _judged(failure: Failure) -> Failure:
    return failure.model_copy(update={"retryable": failure.code not in _HOPELESS})


def _kept(promises: Sequence[FieldSpec], found: JsonValue) -> Values:
    if not promises:
        return {RESULT.name: mended(found)}
    promised = SignatureSpec(inputs=(RESULT,), outputs=tuple(promises))
    names = {each.name for each in promises}
    given = found if isinstance(found, dict) else {}
    try:
        return validate_outputs(promised, {it: given[it] for it in given.keys() & names})
    except ValuesDoNotFit as error:
        failure = Failure(code="tool.result_invalid", message=_all_of(error))
        raise DeedFailed(failure) from error


def _all_of(error: DomainError) -> str:
    faults = getattr(error, "faults", ())
    return scrubbed_text(" ".join([str(error), *(fault.message for fault in faults[1:])]))
