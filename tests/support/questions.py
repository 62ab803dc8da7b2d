"""Every query of every read model, with its filters, asked of one store after the other."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid5

from domain.batch.values import BatchStatus
from domain.binding.values import BindingStatus
from domain.dataset.values import Purpose
from domain.kernel import Recorded
from domain.optimization.values import ProposalStatus
from domain.probe.values import ProbeStatus
from domain.program.values import Stage
from domain.run import RunStatus
from domain.webhook.values import WebhookStatus
from domain.workflow_run.values import WorkflowRunStatus
from projections.audit_trail import audit
from projections.batches import batch, batched_rows, batches
from projections.bindings import binding, bindings
from projections.costs import costs, costs_total, monthly_costs
from projections.datasets import dataset, datasets, loads
from projections.evaluations import evaluation, evaluations
from projections.execution_periods import execution_periods
from projections.executions import execution, executions
from projections.kernel import ReadStore
from projections.lm_calls import lm_calls, recent_lm_calls
from projections.lm_usage import lm_usage, lm_usage_total
from projections.modules import module, modules
from projections.optimization_board import optimization, optimizations, trials
from projections.paging import Page, Row
from projections.prices import prices
from projections.probes import probe, probes
from projections.program_catalog import program, programs
from projections.program_costs import Month, priced_programs
from projections.program_types import catalog_state, program_types
from projections.program_versions import deployments, program_version, program_versions
from projections.providers import provider, providers
from projections.records import calls, calls_of_binding, record, records
from projections.routes import route, routes
from projections.signatures import signature, signatures
from projections.webhooks import webhook, webhooks
from projections.workflow_runs import workflow_run, workflow_runs
from projections.workflows import workflow, workflows
from tests.support.histories import MODEL, NOW, an_id
from tests.support.projecting import pages

Question = Callable[[ReadStore, str, UUID], object]
"""Asks about a tenant's things, or about the one with the id."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ROLES: Mapping[str, Sequence[str]] = {
    "signature.defined": ("signature",),
    "program.created": ("program", "another program"),
    "dataset.created": ("dataset",),
    "optimization.requested": ("optimization",),
    "evaluation.requested": ("evaluation",),
}
"""Under which names the events of a history speak of the streams that begin so."""


def of_its_own(salt: str, tenant: str, recorded: Iterable[Recorded]) -> Sequence[Recorded]:
    """The same history of *tenant* with ids of its own, in which streams refer to each other."""
    history = list(recorded)
    known = dict(_roles(history))
    return [
        replace(
            each,
            originator_id=_moved(salt, known.get(each.originator_id, each.originator_id)),
            event=type(each.event).model_validate_json(
                _UUID.sub(
                    lambda found: str(_moved(salt, UUID(found[0]))), each.event.model_dump_json()
                )
            ),
            envelope=each.envelope.model_copy(
                update={"tenant": tenant, "event_id": _moved(salt, each.envelope.event_id)}
            ),
        )
        for each in history
    ]


def asked(store: ReadStore, tenant: str, ids: Iterable[UUID]) -> Mapping[str, object]:
    """The answers to every question, about every one of *ids*."""
    answers: dict[str, object] = {
        name: [
            _plain(row, tenant)
            for page in pages(query, store, tenant=tenant, **options)
            for row in page.rows
        ]
        for name, (query, options) in LISTS.items()
    }
    for of in ids:
        for name, question in ABOUT_ONE.items():
            answers[f"{name} {of}"] = _plain(question(store, tenant, of), tenant)
    answers["usage total"] = _plain(lm_usage_total(store, tenant=tenant), tenant)
    answers["costs total"] = _plain(costs_total(store, tenant=tenant), tenant)
    answers["monthly costs"] = monthly_costs(store, tenant=tenant, now=NOW)
    return answers


LISTS: Mapping[str, tuple[Callable[..., Any], Mapping[str, object]]] = {
    "signatures": (signatures, {"limit": 2}),
    "retired signatures": (signatures, {"retired": True}),
    "modules": (modules, {"limit": 2}),
    "retired modules": (modules, {"retired": True}),
    "programs": (programs, {"limit": 2}),
    "live programs": (programs, {"stage": Stage.PRODUCTION}),
    "retired programs": (programs, {"stage": Stage.RETIRED, "limit": 1}),
    "programs by name": (programs, {"name": "triage"}),
    "programs that changed last": (programs, {"order": "updated", "limit": 2}),
    "dearest programs": (
        priced_programs,
        {"month": Month(NOW, dearest_first=True), "limit": 1},
    ),
    "datasets": (datasets, {"limit": 2}),
    "datasets to learn from": (datasets, {"purpose": Purpose.TRAINING}),
    "executions": (executions, {"limit": 3}),
    "completed executions": (executions, {"status": RunStatus.COMPLETED}),
    "executions by alice": (executions, {"actor": "alice", "since": NOW + timedelta(seconds=5)}),
    "days of executions": (execution_periods, {}),
    "hours of executions": (execution_periods, {"by": "hour", "limit": 1}),
    "batches": (batches, {"limit": 1}),
    "batches that were called off": (batches, {"status": BatchStatus.CANCELLED}),
    "optimizations": (optimizations, {"limit": 2}),
    "open proposals": (optimizations, {"proposal": ProposalStatus.OPEN, "limit": 1}),
    "evaluations": (evaluations, {"limit": 2}),
    "running evaluations": (evaluations, {"status": RunStatus.RUNNING}),
    "probes": (probes, {"limit": 1}),
    "workflows": (workflows, {"limit": 1}),
    "retired workflows": (workflows, {"retired": True}),
    "runs of workflows": (workflow_runs, {"limit": 2}),
    "runs that were undone": (workflow_runs, {"status": WorkflowRunStatus.UNDONE}),
    "webhooks": (webhooks, {"limit": 1}),
    "removed webhooks": (webhooks, {"status": WebhookStatus.REMOVED}),
    "providers": (providers, {"limit": 1}),
    "routes": (routes, {"limit": 1}),
    "refused probes": (probes, {"status": ProbeStatus.REFUSED}),
    "posts": (partial(records, resource="post"), {"limit": 1}),
    "deleted posts": (partial(records, resource="post"), {"deleted": True}),
    "bindings": (bindings, {"limit": 1}),
    "active bindings": (bindings, {"status": BindingStatus.ACTIVE, "resource": "post"}),
    "calls": (recent_lm_calls, {"limit": 3}),
    "calls of a model": (recent_lm_calls, {"model": MODEL}),
    "usage": (lm_usage, {"limit": 1}),
    "prices": (prices, {"limit": 1}),
    "costs of models": (costs, {"by": "model", "limit": 1}),
    "costs of programs": (costs, {"by": "program", "limit": 1}),
    "costs of runs": (costs, {"by": "run", "limit": 2}),
    "costs of days": (costs, {"by": "day", "limit": 1}),
    "audit": (audit, {"limit": 7}),
    "audit from the beginning": (audit, {"order": "oldest", "actor": "bob"}),
}

ABOUT_ONE: Mapping[str, Question] = {
    "signature": lambda store, tenant, of: signature(store, of, tenant=tenant),
    "signature by name": lambda store, tenant, _: signature(store, "triage", tenant=tenant),
    "module": lambda store, tenant, of: module(store, of, tenant=tenant),
    "program": lambda store, tenant, of: program(store, of, tenant=tenant),
    "program by name": lambda store, tenant, _: program(store, "triage", tenant=tenant),
    "programs in service": lambda store, tenant, _: catalog_state(store, tenant=tenant),
    "types": lambda store, tenant, _: Page(program_types(store, tenant=tenant, limit=9), None),
    "versions": lambda store, tenant, of: program_versions(store, of, tenant=tenant),
    "version 1": lambda store, tenant, of: program_version(store, of, 1, tenant=tenant),
    "deployments": lambda store, tenant, of: deployments(store, of, tenant=tenant),
    "dataset": lambda store, tenant, of: dataset(store, of, tenant=tenant),
    "loads": lambda store, tenant, of: loads(store, of, tenant=tenant),
    "execution": lambda store, tenant, of: execution(store, of, tenant=tenant),
    "executions of": lambda store, tenant, of: executions(store, tenant=tenant, program_id=of),
    "batch": lambda store, tenant, of: batch(store, of, tenant=tenant),
    "rows of a batch": lambda store, tenant, of: Page(
        tuple(batched_rows(store, of, tenant=tenant, after=1, until=4)), None
    ),
    "optimization": lambda store, tenant, of: optimization(store, of, tenant=tenant),
    "trials": lambda store, tenant, of: trials(store, of, tenant=tenant),
    "evaluation": lambda store, tenant, of: evaluation(store, of, tenant=tenant),
    "probe": lambda store, tenant, of: probe(store, of, tenant=tenant),
    "post": lambda store, tenant, of: record(store, "post", of, tenant=tenant),
    "programs that it called": lambda store, tenant, of: Page(
        tuple(calls(store, of, tenant=tenant)), None
    ),
    "what called it": lambda store, tenant, of: calls_of_binding(store, of, tenant=tenant),
    "binding": lambda store, tenant, of: binding(store, of, tenant=tenant),
    "workflow": lambda store, tenant, of: workflow(store, of, tenant=tenant),
    "run of a workflow": lambda store, tenant, of: workflow_run(store, of, tenant=tenant),
    "route": lambda store, tenant, of: route(store, of, tenant=tenant),
    "provider": lambda store, tenant, of: provider(store, of, tenant=tenant),
    "webhook": lambda store, tenant, of: webhook(store, of, tenant=tenant),
    "calls of": lambda store, tenant, of: lm_calls(store, of, tenant=tenant),
    "audit of": lambda store, tenant, of: audit(store, tenant=tenant, aggregate_id=of),
}


def _roles(history: Sequence[Recorded]) -> Iterable[tuple[UUID, UUID]]:
    left = {topic: list(names) for topic, names in _ROLES.items()}
    for each in history:
        if names := left.get(each.event.TOPIC):
            yield each.originator_id, an_id(names.pop(0))


def _moved(salt: str, id: UUID) -> UUID:
    return uuid5(id, salt)


def _plain(answer: Any, tenant: str) -> object:
    """*answer* as data, in which no sentence tells whose it is."""
    if isinstance(answer, Page):
        return [_plain(row, tenant) for row in cast("Page[Row]", answer).rows]
    if answer is None:
        return None
    row = answer.model_dump()
    return row | {"sentence": row["sentence"].replace(tenant, "…")} if "sentence" in row else row
