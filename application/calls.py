"""What becomes of a call that a record made: the run it asks for, and what that run gave."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from application.authorization import Permission
from application.commands import Command, handles
from application.errors import AggregateNotFound, ConcurrentWrite, StoreIsUnavailable
from application.executions import RequestExecution
from application.payloads import Payload
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.record_changes import RecordChanges
from application.runnable import json_object
from application.scrubbing import scrubbed_text
from domain.binding.aggregate import Binding
from domain.binding.rules import mapped_inputs, mapped_outputs
from domain.errors import DomainError, InvalidError
from domain.execution.aggregate import Execution
from domain.execution.values import Caller
from domain.record.aggregate import OpenCall, Record
from domain.record.values import Answer, Call
from domain.run import RunStatus
from domain.values import Failure

CALLER = Record.KIND
"""What the caller of an execution is that a record called for."""


class FollowCall(Command):
    """Do what is due of a call: ask for its run, or store what that gave; else nothing.

    However often it comes, and whoever was killed meanwhile, there is one run and one answer.
    """

    record_id: UUID
    execution_id: UUID


@dataclass(frozen=True, slots=True)
class CallHandlers:
    """``request`` asks for an execution as anybody else may."""

    records: Repository[Record]
    bindings: Repository[Binding]
    executions: Repository[Execution]
    payloads: PayloadStore
    changes: RecordChanges
    request: Callable[[RequestExecution], Receipt]
    clock: Clock

    @handles(FollowCall, Permission.WORK)
    def follow(self, command: FollowCall) -> Receipt:
        record = self.records.get(command.record_id)
        waiting = record.open.get(command.execution_id)
        if waiting is None:  # answered, or failed, or never made
            return Receipt(record.id, record.version, 0)
        try:
            return self._moved_on(record, waiting)
        except (StoreIsUnavailable, ConcurrentWrite):
            raise
        except DomainError as refusal:
            return self._failed(record.id, waiting.call, _told(refusal))

    def _moved_on(self, record: Record, waiting: OpenCall) -> Receipt:
        call = waiting.call
        try:
            run = self.executions.get(call.execution_id)
        except AggregateNotFound:
            return self.request(self._wish(record, waiting))
        match run.status:
            case RunStatus.COMPLETED:
                return self._answered(record.id, call, run)
            case RunStatus.FAILED:
                assert run.failure is not None
                return self._failed(record.id, call, run.failure)
            case RunStatus.CANCELLED:
                message = "Its run was cancelled, so there is no answer."
                return self._failed(record.id, call, Failure(code=_CANCELLED, message=message))
            case _:
                return Receipt(record.id, record.version, 0)

    def _wish(self, record: Record, waiting: OpenCall) -> RequestExecution:
        spec = self._binding(waiting.call).spec
        return RequestExecution(
            execution_id=waiting.call.execution_id,
            program_id=spec.program_id,
            program_version=spec.program_version,
            inputs=mapped_inputs(spec, dict(json_object(self.payloads.get(waiting.data)))),
            caller=Caller(kind=CALLER, id=record.id),
        )

    def _answered(self, record_id: UUID, call: Call, run: Execution) -> Receipt:
        assert run.outputs is not None
        outputs = json_object(self.payloads.get(run.outputs))
        fields = mapped_outputs(self._binding(call).spec, outputs)
        answer = Answer(
            execution_id=run.id,
            binding_id=call.binding_id,
            program_id=run.program_id,
            program_version=run.program_version,
        )

        def decide(record: Record) -> list[Payload]:
            if call.execution_id not in record.open:  # a twin of this delivery was faster
                return []
            change = self.changes.of(record, lambda data: {**data, **fields}, cause=call)
            at = self.clock.now()
            record.answer(answer, change.data.ref, change.changed, calls=change.calls, at=at)
            record.end_chains(change.ended, at=at)
            return [change.data]

        return self.changes.insist(record_id, decide)

    def _failed(self, record_id: UUID, call: Call, failure: Failure) -> Receipt:
        def decide(record: Record) -> list[Payload]:
            record.fail_call(call.execution_id, failure, at=self.clock.now())
            return []

        return self.changes.insist(record_id, decide)

    def _binding(self, call: Call) -> Binding:
        return self.bindings.get(call.binding_id, version=call.binding_version)


_CANCELLED = "execution.cancelled"


def _told(refusal: DomainError) -> Failure:
    """Why a call could not be followed; of values that do not fit, where they are and no more."""
    faults = refusal.faults if isinstance(refusal, InvalidError) else ()
    message = str(refusal)
    if faults:
        where = ", ".join(f"{each.pointer or '/'} ({each.code})" for each in faults)
        message = f"What the record holds does not fit at {where}. Change it, then ask once more."
    return Failure(code=refusal.code, message=scrubbed_text(message))
