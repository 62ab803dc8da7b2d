"""A record: a thing of the user's own, whose changes may call programs that then change it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.record.errors import CallHasNotFailed, RecordIsDeleted
from domain.record.events import (
    RecordCallFailed,
    RecordCallRepeated,
    RecordCreated,
    RecordDeleted,
    RecordEvent,
    RecordUpdated,
)
from domain.record.rules import call_of, chain_ended
from domain.record.values import Answer, Call
from domain.values import Failure, PayloadRef


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that waits for its answer, and what the record held when it was made."""

    call: Call
    data: PayloadRef


class Record(Aggregate[RecordEvent]):
    """Every call is answered once, or fails once, however often what comes of it is told."""

    KIND: ClassVar[str] = "record"

    resource: str
    data: PayloadRef

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.is_deleted = False
        self.open: dict[UUID, OpenCall] = {}
        self.failed: dict[UUID, Call] = {}

    @classmethod
    def create(
        cls, id: UUID, *, resource: str, data: PayloadRef, calls: Sequence[Call], at: datetime
    ) -> Self:
        """Begin a record that holds *data*, and make *calls*."""
        return cls.begin(id, RecordCreated(resource=resource, data=data, calls=tuple(calls)), at=at)

    def update(
        self, data: PayloadRef, changed: Sequence[str], *, calls: Sequence[Call], at: datetime
    ) -> None:
        """Hold *data* from now on; what changed nothing is no event.

        Raises:
            RecordIsDeleted: It changes no more.
        """
        self.require_there()
        if changed:
            self.record(RecordUpdated(data=data, changed=tuple(changed), calls=tuple(calls)), at=at)

    def answer(
        self,
        answer: Answer,
        data: PayloadRef,
        changed: Sequence[str],
        *,
        calls: Sequence[Call],
        at: datetime,
    ) -> None:
        """Hold what the run of a call gave, unless that call was answered or failed before."""
        if answer.execution_id in self.open:
            event = RecordUpdated(
                data=data, changed=tuple(changed), calls=tuple(calls), answer=answer
            )
            self.record(event, at=at)

    def end_chains(self, calls: Sequence[Call], *, at: datetime) -> None:
        """Note *calls* that are not made, because they were made before in the same chain."""
        for call in calls:
            self.record(RecordCallFailed(call=call, failure=chain_ended(call)), at=at)

    def fail_call(self, execution_id: UUID, failure: Failure, *, at: datetime) -> None:
        """Note that a call gets no answer, unless it was answered or failed before."""
        if execution_id in self.open:
            call = self.open[execution_id].call
            self.record(RecordCallFailed(call=call, failure=failure), at=at)

    def failed_call(self, execution_id: UUID) -> Call:
        """The call with that run, which failed and was not repeated.

        Raises:
            RecordIsDeleted: It calls nothing any more.
            CallHasNotFailed: There is none.
        """
        self.require_there()
        if execution_id not in self.failed:
            raise CallHasNotFailed(self.id, execution_id)
        return self.failed[execution_id]

    def repeat_call(self, execution_id: UUID, *, binding_version: int, at: datetime) -> None:
        """Call once more what failed, as it is bound now, on what the record holds now.

        Raises:
            RecordIsDeleted, CallHasNotFailed: See ``failed_call``.
        """
        binding_id = self.failed_call(execution_id).binding_id
        call = call_of(self.id, self.version + 1, binding_id, binding_version)
        self.record(RecordCallRepeated(failed=execution_id, call=call), at=at)

    def delete(self, reason: str, *, at: datetime) -> None:
        """Take it out of the way; what waits for an answer waits no more. Twice changes nothing."""
        if self.is_deleted:
            return
        gone = Failure(
            code=RecordIsDeleted.code, message="The record was deleted before the answer came."
        )
        for execution_id in tuple(self.open):
            self.fail_call(execution_id, gone, at=at)
        self.record(RecordDeleted(reason=reason), at=at)

    def require_there(self) -> None:
        """Refuse to go on with a deleted record.

        Raises:
            RecordIsDeleted: It changes no more.
        """
        if self.is_deleted:
            raise RecordIsDeleted(self.id)

    def evolve(self, event: RecordEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case RecordCreated():
                self.resource = event.resource
                self._hold(event.data, event.calls)
            case RecordUpdated():
                if event.answer is not None:
                    del self.open[event.answer.execution_id]
                self._hold(event.data, event.calls)
            case RecordCallFailed(call=call):
                self.open.pop(call.execution_id, None)
                self.failed[call.execution_id] = call
            case RecordCallRepeated(failed=failed, call=call):
                del self.failed[failed]
                self.open[call.execution_id] = OpenCall(call, self.data)
            case RecordDeleted():
                self.is_deleted = True
            case _:
                assert_never(event)

    def _hold(self, data: PayloadRef, calls: Sequence[Call]) -> None:
        self.data = data
        self.open |= {call.execution_id: OpenCall(call, data) for call in calls}
