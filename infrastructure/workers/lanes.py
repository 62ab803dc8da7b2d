"""How each command that is carried out later travels: its queue, its time, its tries."""

from collections.abc import Mapping
from types import MappingProxyType

from application.batches import CarryBatchOn, FollowBatchRow, RunBatchRow
from application.budgets import WatchBudget
from application.calls import FollowCall
from application.counterfactuals import EstimateCounterfactual
from application.evaluations import RunEvaluation
from application.executions import RunExecution, TimeOutExecution
from application.optimizations import AdoptOptimization, RunOptimization
from application.probes import RunProbe
from application.replays import RunReplay
from application.workflow_runs import AdvanceWorkflowRun
from infrastructure.workers.jobs import Lane, Lanes

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS

LANES: Lanes = MappingProxyType(
    {
        RunExecution: Lane("ml_inference", time_limit_ms=10 * MINUTE_MS, max_retries=2),
        # A lane of its own: however many batches there are, whoever waits for an answer does not
        # wait for their rows.
        RunBatchRow: Lane("ml_batch", time_limit_ms=10 * MINUTE_MS, max_retries=2),
        EstimateCounterfactual: Lane("ml_batch", time_limit_ms=10 * MINUTE_MS, max_retries=2),
        CarryBatchOn: Lane("batches", time_limit_ms=MINUTE_MS),
        FollowBatchRow: Lane("batches", time_limit_ms=MINUTE_MS),
        TimeOutExecution: Lane("reactions", time_limit_ms=MINUTE_MS),
        RunReplay: Lane("ml_inference", time_limit_ms=10 * MINUTE_MS, max_retries=2),
        RunOptimization: Lane("ml_optimization", time_limit_ms=6 * HOUR_MS, isolated=True),
        RunEvaluation: Lane("ml_optimization", time_limit_ms=HOUR_MS, isolated=True),
        RunProbe: Lane("probes", time_limit_ms=10 * MINUTE_MS),
        AdoptOptimization: Lane("reactions", time_limit_ms=MINUTE_MS),
        AdvanceWorkflowRun: Lane("workflows", time_limit_ms=10 * MINUTE_MS),
        WatchBudget: Lane("reactions", time_limit_ms=MINUTE_MS),
        FollowCall: Lane("reactions", time_limit_ms=MINUTE_MS),
    }
)

THREADS: Mapping[str, int] = MappingProxyType(
    {
        "ml_inference": 8,
        "ml_batch": 4,
        "ml_optimization": 1,
        "batches": 1,
        "probes": 1,
        "reactions": 1,
        "workflows": 4,
    }
)
"""Jobs of each queue that one worker process carries out at once."""
