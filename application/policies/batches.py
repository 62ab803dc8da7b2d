"""A batch that was requested or resumed begins its rows; the end of a row is the turn of a next.

One that varies recorded executions is estimated first.
"""

from collections.abc import Iterable

from application.batches import CarryBatchOn, FollowBatchRow
from application.commands import Command
from application.counterfactuals import EstimateCounterfactual
from domain.batch.aggregate import Batch
from domain.batch.events import BatchRequested, BatchResumed
from domain.execution.events import ExecutionCancelled, ExecutionCompleted, ExecutionFailed
from domain.execution.values import Caller
from domain.kernel import Recorded
from domain.values import PayloadRef


def batches(recorded: Recorded) -> Iterable[Command]:
    match recorded.event:
        case BatchRequested(varies=PayloadRef()):
            yield EstimateCounterfactual(batch_id=recorded.originator_id)
        case BatchRequested() | BatchResumed():
            yield CarryBatchOn(batch_id=recorded.originator_id)
        case (
            ExecutionCompleted(caller=Caller(kind=Batch.KIND, id=id, place=int(row)))
            | ExecutionFailed(caller=Caller(kind=Batch.KIND, id=id, place=int(row)))
            | ExecutionCancelled(caller=Caller(kind=Batch.KIND, id=id, place=int(row)))
        ):
            yield FollowBatchRow(batch_id=id, row=row)
        case _:
            pass
