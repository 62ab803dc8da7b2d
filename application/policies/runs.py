"""When a run, a replay or a probe is requested, a worker takes it up."""

from collections.abc import Iterable

from application.batches import RunBatchRow
from application.commands import Command
from application.evaluations import RunEvaluation
from application.executions import RunExecution
from application.optimizations import RunOptimization
from application.probes import RunProbe
from application.replays import RunReplay
from domain.batch.aggregate import Batch
from domain.evaluation.events import EvaluationRequested
from domain.execution.events import ExecutionRequested, ReplayRequested
from domain.kernel import Recorded
from domain.optimization.events import OptimizationRequested
from domain.probe.events import ProbeRequested


def running(recorded: Recorded) -> Iterable[Command]:
    match recorded.event:
        case ExecutionRequested(caller=caller):
            if caller and caller.kind == Batch.KIND:
                yield RunBatchRow(execution_id=recorded.originator_id)
            elif not (caller and caller.carries_it_out):
                yield RunExecution(execution_id=recorded.originator_id)
        case ReplayRequested(replay=replay):
            yield RunReplay(execution_id=recorded.originator_id, replay=replay)
        case OptimizationRequested():
            yield RunOptimization(optimization_id=recorded.originator_id)
        case EvaluationRequested():
            yield RunEvaluation(evaluation_id=recorded.originator_id)
        case ProbeRequested():
            yield RunProbe(probe_id=recorded.originator_id)
        case _:
            pass
