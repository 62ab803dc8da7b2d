"""Whole logs: the main job of a tenant, and one in which every event happens."""

from typing import Any

from domain.access.events import ApiKeyRevoked
from domain.dataset.values import Split
from domain.evaluation.events import EvaluationCancelled, EvaluationFailed, EvaluationToolCalled
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.module.events import ModuleRetired
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationCancelled,
    OptimizationFailed,
    OptimizationRejected,
    OptimizationToolCalled,
)
from domain.optimization.values import Adoption, HeldOut
from domain.parking.events import EventParked, ParkedEventReplayed
from domain.program.events import ProgramRetired, ProgramTestingStarted
from domain.queue.events import JobRetried, QueuePaused, QueueResumed
from domain.signature.events import SignatureRetired
from domain.tool.events import ToolCreated, ToolRetired
from domain.values import LmSpend
from tests.support import histories as build
from tests.support.access import a_key
from tests.support.batches import tell_a_batch
from tests.support.budgets import HELD, SETTLED, a_budget
from tests.support.caches import PURGES
from tests.support.histories import TENANT, Log, an_id
from tests.support.prices import a_price
from tests.support.probes import a_probe
from tests.support.providers import a_default, a_provider
from tests.support.records import a_binding, a_record
from tests.support.routes import ROUTED, a_route
from tests.support.runs import used as a_tool_call
from tests.support.workflows import (
    a_run_completed,
    a_run_undone,
    a_run_with_all,
    a_webhook,
    a_workflow,
)


def a_story(tenant: str = TENANT) -> Log:
    """The main job of a tenant: from a signature to a deployed, better version and a replay."""
    log = Log(tenant=tenant)
    log.append(an_id("signature"), build.signature_defined())
    log.append(an_id("module"), build.module_created())
    log.append(an_id("program"), build.program_created(), ProgramTestingStarted())
    log.append(an_id("dataset"), build.dataset_created(), build.rows_loaded(20))
    log.append(an_id("dataset"), build.rows_loaded(30, split=Split.HELDOUT))
    log.append(an_id("execution 1"), *build.an_execution())
    log.append(an_id("evaluation 1"), *build.an_evaluation(program_version=1, score=0.6))
    log.append(an_id("program"), build.program_deployed(1))
    log.append(an_id("optimization"), *build.an_optimization())
    log.append(an_id("program"), build.program_compiled(2))
    log.append(an_id("evaluation 2"), *build.an_evaluation(program_version=2, score=0.8))
    log.append(
        an_id("program"),
        build.program_deployed(
            2,
            previous_version=1,
            reason="It scores better.",
            on=(build.evidence(1, 0.6, "evaluation 1"), build.evidence(2, 0.8, "evaluation 2")),
        ),
    )
    log.append(an_id("execution 2"), *build.an_execution(program_version=2))
    log.append(
        an_id("execution 2"),
        ReplayRequested(replay=1),
        ReplayVerified(replay=1, answered_from_log=1, duration_ms=5.0),
    )
    return log


def everything() -> Log:
    """A log in which every event there is happens at least once."""
    log = a_story()
    log.append(an_id("signature"), build.signature_revised(), SignatureRetired(reason="Old."))
    log.append(an_id("module"), build.module_configured(), ModuleRetired(reason="Old."))
    log.append(an_id("program"), *build.later_versions(3), *build.program_changes())
    log.append(an_id("program"), ProgramRetired(reason="Old."))
    used, _, _ = a_tool_call("search")
    failing = build.execution_requested(), ExecutionStarted(attempt=1, worker="worker-1")
    log.append(an_id("failing"), *failing, ExecutionToolCalled(call=used), build.execution_failed())
    diverged = ReplayDiverged(
        replay=1, answered_from_log=0, duration_ms=1, failure=build.FAILURE, outputs=None
    )
    log.append(an_id("failing"), ReplayRequested(replay=1), diverged)
    warned = ExecutionWarned(code="state.other_dspy", message="It was learned elsewhere.")
    log.append(an_id("warned"), *failing, warned)
    stopped = ExecutionCancelled(reason="Enough.")
    log.append(an_id("cancelled"), build.execution_requested(), stopped)
    failed = OptimizationFailed(failure=build.FAILURE, spend=LmSpend())
    log.append(
        an_id("failed opt"),
        build.optimization_requested(),
        OptimizationToolCalled(call=used),
        failed,
    )
    stop = OptimizationCancelled(reason="Enough.")
    log.append(an_id("cancelled opt"), build.optimization_requested(), stop)
    log.append(an_id("dataset"), build.row_replaced(), build.row_removed())
    better = HeldOut(rows=30, baseline=0.5, score=0.75)
    for name, decided in (
        ("open proposal", ()),
        ("approved", (OptimizationApproved(reason="It is better."),)),
        ("rejected", (OptimizationRejected(reason="It is worse."),)),
    ):
        asked = build.optimization_requested(adopt=Adoption.APPROVAL)
        found = build.optimization_completed(heldout=better)
        log.append(an_id(name), asked, build.optimization_started(), found, *decided)
    wrong = EvaluationFailed(failure=build.FAILURE, spend=LmSpend())
    log.append(
        an_id("failed eval"), build.evaluation_requested(), EvaluationToolCalled(call=used), wrong
    )
    halt = EvaluationCancelled(reason="Enough.")
    log.append(an_id("cancelled eval"), build.evaluation_requested(), halt)
    log.append(an_id("probe"), *a_probe())
    log.append(an_id("budget"), *a_budget())
    log.append(an_id("provider"), *a_provider())
    log.append(an_id("default"), *a_default())
    log.append(an_id("route"), *a_route())
    log.append(an_id("routed"), *failing, ROUTED)
    log.append(an_id("price"), *a_price())
    for number, purge in enumerate(PURGES):
        log.append(an_id(f"purge {number}"), purge)
    log.append(an_id("paid"), build.execution_requested(), HELD, SETTLED, stopped)
    tell_a_batch(log)
    log.append(an_id("record"), *a_record())
    log.append(an_id("binding"), *a_binding())
    log.append(an_id("tool"), ToolCreated(spec=build.TOOL), ToolRetired(reason="Old."))
    log.append(an_id("workflow"), *a_workflow())
    log.append(an_id("run undone"), *a_run_undone())
    log.append(an_id("run with all"), *a_run_with_all())
    log.append(an_id("run completed"), *a_run_completed())
    log.append(an_id("webhook"), *a_webhook())
    log.append(an_id("refused probe"), *a_probe(refused=True))
    where = {"projection": "executions", "version": 1, "position": 9, "topic": "execution.started"}
    about: dict[str, Any] = {**where, "stream_id": an_id("execution 1")}
    parked = EventParked(**about, error="DivisionByZero", attempts=3)
    log.append(an_id("parking"), parked, ParkedEventReplayed(**about))
    paused = QueuePaused(queue="ml_inference", reason="The provider is down.")
    log.append(an_id("queue"), paused, QueueResumed(queue="ml_inference"))
    retried = JobRetried(queue="ml_inference", job_id=an_id("job"), command="RunExecution")
    log.append(an_id("job"), retried)
    log.append(an_id("key"), a_key(), ApiKeyRevoked(reason="Lost."))
    return log
