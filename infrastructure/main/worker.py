"""The worker process: carries out executions here, optimizations and evaluations in children."""

import logging
from collections.abc import Iterator

from application.batches import CarryBatchOn, RunBatchRow
from application.calls import FollowCall
from application.commands import Command
from application.counterfactuals import EstimateCounterfactual
from application.evaluations import RunEvaluation
from application.executions import RunExecution, TimeOutExecution
from application.optimizations import AdoptOptimization, RunOptimization
from application.probes import RunProbe
from application.replays import RunReplay
from application.warming import WarmProgram
from application.workflow_runs import AdvanceWorkflowRun
from infrastructure import bootstrap
from infrastructure.chosen_engine import chosen_runtime
from infrastructure.following import following
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.settings import Settings
from infrastructure.system import new_id
from infrastructure.workers.intake import TakingIn
from infrastructure.workers.jobs import JobContext
from infrastructure.workers.lanes import LANES, THREADS
from infrastructure.workers.recycling import Wear
from infrastructure.workers.sweep import EVERY_S
from infrastructure.workers.worker import GRACE_MS, worker_process
from projections.batches import unfinished_batches
from projections.records import forgotten_calls
from projections.registry import PROJECTIONS
from projections.unfinished import UnfinishedWork, unfinished_work
from projections.workflow_runs import unfinished_runs

DUE_AFTER_S = 30.0
"""Work that has not moved for so long and has no job is queued again by the sweep."""


def main(*, due_after_s: float = DUE_AFTER_S, sweep_every_s: float = EVERY_S) -> None:
    """Work until SIGTERM; the sweep looks every *sweep_every_s* for what is due."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s worker %(message)s")
    settings = Settings.from_environment()
    connections = sum(THREADS.values()) + 2
    with bootstrap.system(
        settings, "worker", connections=connections, runtime=chosen_runtime
    ) as system:
        store = PostgresReadStore(system.whole, PROJECTIONS)
        led = following(system, store)
        process = worker_process(
            system.conninfo,
            dispatch=led.dispatch,
            tracing=system.tracing,
            lanes=led.lanes,
            threads=led.threads,
            due=lambda: _due(store, due_after_s),
            broker_url=settings.broker_url,
            sweep_every_s=sweep_every_s,
            wear=Wear(settings.recycle_jobs, settings.memory_mb),
            beside=led.leaders,
            told_to_all=[WarmProgram],
            taking_in=_taking_in(system),
        )
        system.alarms.on_stuck = lambda: process.replace(GRACE_MS)
        process.run()


def _taking_in(system: bootstrap.System) -> TakingIn:
    queue = LANES[RunExecution].queue
    return TakingIn(bootstrap.lines(system), queue, system.births, system.dispatch, system.tracing)


def _due(store: PostgresReadStore, due_after_s: float) -> Iterator[tuple[Command, JobContext]]:
    for work in unfinished_work(store, due_after_s):
        yield _command(work), _swept(work.tenant)
    for call in forgotten_calls(store, due_after_s):
        command = FollowCall(record_id=call.record_id, execution_id=call.execution_id)
        yield command, _swept(call.tenant)
    for batch in unfinished_batches(store, due_after_s):
        due = CarryBatchOn if batch.is_estimated else EstimateCounterfactual
        yield due(batch_id=batch.id), _swept(batch.tenant)
    for run in unfinished_runs(store, due_after_s):
        yield AdvanceWorkflowRun(run_id=run.id, turn=run.turn), _swept(run.tenant)


def _swept(tenant: str) -> JobContext:
    return JobContext(tenant=tenant, actor="sweep", correlation_id=new_id())


def _command(work: UnfinishedWork) -> Command:
    match work.kind:
        case "execution":
            return RunExecution(execution_id=work.id)
        case "batch_row":
            return RunBatchRow(execution_id=work.id)
        case "overdue":
            return TimeOutExecution(execution_id=work.id)
        case "replay":
            assert work.replay is not None
            return RunReplay(execution_id=work.id, replay=work.replay)
        case "optimization":
            return RunOptimization(optimization_id=work.id)
        case "adoption":
            return AdoptOptimization(optimization_id=work.id)
        case "evaluation":
            return RunEvaluation(evaluation_id=work.id)
        case "probe":
            return RunProbe(probe_id=work.id)


if __name__ == "__main__":
    main()
