"""The worker process: carries out executions here, optimizations and evaluations in children."""

import logging
from collections.abc import Iterator

from application.commands import Command
from application.evaluations import RunEvaluation
from application.executions import RunExecution
from application.optimizations import AdoptOptimization, RunOptimization
from application.probes import RunProbe
from application.replays import RunReplay
from infrastructure import bootstrap
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.settings import Settings
from infrastructure.system import new_id
from infrastructure.workers.jobs import JobContext
from infrastructure.workers.lanes import LANES, THREADS
from infrastructure.workers.sweep import EVERY_S
from infrastructure.workers.worker import worker_process
from projections.registry import PROJECTIONS
from projections.unfinished import UnfinishedWork, unfinished_work

DUE_AFTER_S = 30.0
"""Work that has not moved for so long and has no job is queued again by the sweep."""


def main(*, due_after_s: float = DUE_AFTER_S, sweep_every_s: float = EVERY_S) -> None:
    """Work until SIGTERM; the sweep looks every *sweep_every_s* for what is due."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s worker %(message)s")
    settings = Settings.from_environment()
    connections = sum(THREADS.values()) + 2
    with bootstrap.system(
        settings, "worker", connections=connections, runtime=bootstrap.dspy_runtime
    ) as system:
        store = PostgresReadStore(system.pool, PROJECTIONS)
        worker_process(
            system.conninfo,
            dispatch=system.dispatch,
            tracing=system.tracing,
            lanes=LANES,
            threads=THREADS,
            due=lambda: _due(store, due_after_s),
            broker_url=settings.broker_url,
            sweep_every_s=sweep_every_s,
        ).run()


def _due(store: PostgresReadStore, due_after_s: float) -> Iterator[tuple[Command, JobContext]]:
    for work in unfinished_work(store, due_after_s):
        yield _command(work), JobContext(tenant=work.tenant, actor="sweep", correlation_id=new_id())


def _command(work: UnfinishedWork) -> Command:
    match work.kind:
        case "execution":
            return RunExecution(execution_id=work.id)
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
