"""What people may ask of records: each command, and beneath it its handler."""

from dataclasses import dataclass
from uuid import UUID

from application.authorization import Permission
from application.commands import Command, handles
from application.payloads import Payload
from application.ports import Clock, Receipt
from application.reasons import NO_REASON
from application.record_changes import RecordChanges, kept
from application.runnable import json_object
from domain.binding.values import Trigger
from domain.record.aggregate import Record
from domain.record.rules import Data, calls_of, merged
from domain.record.values import ResourceName
from domain.text import JsonObject, LongText


class CreateRecord(Command):
    """A record of the user's own; programs that are bound to its creation are called."""

    record_id: UUID
    resource: ResourceName
    data: JsonObject


class UpdateRecord(Command):
    """Change what a record holds by a JSON merge patch (RFC 7396): null takes a field away.

    Programs that are bound to the change are called.
    """

    record_id: UUID
    resource: ResourceName
    patch: JsonObject
    expected_version: int | None = None


class DeleteRecord(Command):
    """It stays readable, and changes no more."""

    record_id: UUID
    resource: ResourceName
    reason: LongText = NO_REASON
    expected_version: int | None = None


class RepeatCall(Command):
    """Call once more a program that failed, as it is bound now, on what the record holds now."""

    record_id: UUID
    resource: ResourceName
    execution_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class RecordHandlers:
    changes: RecordChanges
    clock: Clock

    @handles(CreateRecord, Permission.EXECUTE)
    def create(self, command: CreateRecord) -> Receipt:
        data = kept(command.data, "/data")
        bound = self.changes.bound.called(command.resource, Trigger.CREATE, tuple(command.data))
        calls, _ = calls_of(command.record_id, 1, bound, None)
        record = Record.create(
            command.record_id,
            resource=command.resource,
            data=data.ref,
            calls=calls,
            at=self.clock.now(),
        )
        return self.changes.records.save(record, payloads=[data])

    @handles(UpdateRecord, Permission.EXECUTE)
    def update(self, command: UpdateRecord) -> Receipt:
        def patched(data: Data) -> Data:
            return json_object(merged(dict(data), command.patch))

        def decide(record: Record) -> list[Payload]:
            self._expect(record, command)
            change = self.changes.of(record, patched)
            record.update(change.data.ref, change.changed, calls=change.calls, at=self.clock.now())
            return [change.data]

        return self.changes.insist(command.record_id, decide)

    @handles(DeleteRecord, Permission.EXECUTE)
    def delete(self, command: DeleteRecord) -> Receipt:
        def decide(record: Record) -> list[Payload]:
            self._expect(record, command)
            record.delete(command.reason, at=self.clock.now())
            return []

        return self.changes.insist(command.record_id, decide)

    @handles(RepeatCall, Permission.EXECUTE)
    def repeat(self, command: RepeatCall) -> Receipt:
        def decide(record: Record) -> list[Payload]:
            self._expect(record, command)
            failed = record.failed_call(command.execution_id)
            binding = self.changes.bound.bindings.get(failed.binding_id)
            binding.require_active()
            record.repeat_call(
                command.execution_id, binding_version=binding.version, at=self.clock.now()
            )
            return []

        return self.changes.insist(command.record_id, decide)

    def _expect(self, record: Record, command: UpdateRecord | DeleteRecord | RepeatCall) -> None:
        self.changes.require_kind(record, command.resource)
        record.expect(command.expected_version)
