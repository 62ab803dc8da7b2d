"""When a record calls a program, its run is asked for; when that ends, the record is told."""

from collections.abc import Iterable

from application.calls import CALLER, FollowCall
from application.commands import Command
from domain.execution.events import ExecutionCancelled, ExecutionCompleted, ExecutionFailed
from domain.execution.values import Caller
from domain.kernel import Recorded
from domain.record.events import RecordCallRepeated, RecordCreated, RecordUpdated


def calling(recorded: Recorded) -> Iterable[Command]:
    match recorded.event:
        case RecordCreated(calls=calls) | RecordUpdated(calls=calls):
            for call in calls:
                yield FollowCall(record_id=recorded.originator_id, execution_id=call.execution_id)
        case RecordCallRepeated(call=call):
            yield FollowCall(record_id=recorded.originator_id, execution_id=call.execution_id)
        case (
            ExecutionCompleted(caller=Caller(kind=kind, id=id))
            | ExecutionFailed(caller=Caller(kind=kind, id=id))
            | ExecutionCancelled(caller=Caller(kind=kind, id=id))
        ) if kind == CALLER:
            yield FollowCall(record_id=id, execution_id=recorded.originator_id)
        case _:
            pass
