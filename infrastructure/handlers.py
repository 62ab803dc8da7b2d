"""Handlers of what asks for runs: of batches, records and workflows; and of who is told."""

from collections.abc import Callable, Sequence

from application.batches import BatchHandlers
from application.bindings import BindingHandlers
from application.bound import BoundPrograms
from application.calls import CallHandlers
from application.counterfactuals import CounterfactualHandlers
from application.deeds import Deeds
from application.executions import ExecutionHandlers, RequestExecution
from application.generations import GenerationHandlers
from application.models import Models
from application.past_runs import PastRuns
from application.ports import Receipt, Repository
from application.providers import ProviderHandlers
from application.record_changes import RecordChanges
from application.records import RecordHandlers
from application.routes import RouteHandlers
from application.supplies import Supplies
from application.webhooks import WebhookHandlers
from application.workflow_runs import WorkflowRunHandlers
from application.workflow_wishes import WorkflowPinning
from application.workflows import WorkflowHandlers
from domain.batch.aggregate import Batch
from domain.binding.aggregate import Binding
from domain.execution.aggregate import Execution
from domain.provider.aggregate import DefaultProvider, Provider
from domain.record.aggregate import Record
from domain.route.aggregate import Route
from domain.webhook.aggregate import Webhook
from domain.workflow.aggregate import Workflow
from domain.workflow_run.aggregate import WorkflowRun
from infrastructure.eventstore.receipts import PostgresNames
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.settings import Settings
from infrastructure.system import SystemClock, new_secret


def batch_handlers(log: EventLog, running: ExecutionHandlers, past: PastRuns) -> Sequence[object]:
    """The handlers of batches, and of generations, which are executions and batches."""
    batches, counterfactuals = batches_of(EventSourcedRepository(log, Batch), running, past)
    generations = GenerationHandlers(
        EventSourcedRepository(log, Provider),
        *(running.programs, running.request, batches.request_batch, running.clock),
    )
    return batches, counterfactuals, generations


def batches_of(
    batches: Repository[Batch], running: ExecutionHandlers, past: PastRuns
) -> tuple[BatchHandlers, CounterfactualHandlers]:
    """The handlers of *batches*, whose rows run as *running* runs anything."""
    programs, executions, payloads = running.programs, running.executions, running.payloads
    return (
        BatchHandlers(
            batches,
            *(programs, executions, payloads, running.request, running.run, running.clock),
        ),
        CounterfactualHandlers(
            batches,
            *(programs, executions, past, payloads, running.supplies, running.engine),
            *(running.clock, running.reading, running.prices, running.models),
        ),
    )


def record_handlers(
    log: EventLog,
    supplies: Supplies,
    executions: EventSourcedRepository[Execution],
    request: Callable[[RequestExecution], Receipt],
) -> Sequence[object]:
    clock, payloads, handlers = SystemClock(), supplies.payloads, records(log, supplies)
    bindings, changes = EventSourcedRepository(log, Binding), handlers.changes
    return (
        handlers,
        BindingHandlers(bindings, supplies.programs, changes.bound, clock),
        CallHandlers(changes.records, bindings, executions, payloads, changes, request, clock),
    )


def records(log: EventLog, supplies: Supplies) -> RecordHandlers:
    bindings, names = EventSourcedRepository(log, Binding), PostgresNames(log.receipts.recorder)
    bound = BoundPrograms(bindings, names)
    changes = RecordChanges(EventSourcedRepository(log, Record), bound, supplies.payloads)
    return RecordHandlers(changes, SystemClock())


def outward_handlers(settings: Settings, log: EventLog, models: Models) -> Sequence[object]:
    """The handlers of what leads out of the service, with what is allowed of it."""
    return (
        _webhook_handlers(settings, log),
        _provider_handlers(settings, log, models),
        RouteHandlers(EventSourcedRepository(log, Route), SystemClock(), models),
    )


def _provider_handlers(settings: Settings, log: EventLog, models: Models) -> ProviderHandlers:
    """What registers providers of language models, as far as *settings* allow them."""
    return ProviderHandlers(
        EventSourcedRepository(log, Provider),
        EventSourcedRepository(log, DefaultProvider),
        settings.provider_allowance,
        SystemClock(),
        models,
    )


def _webhook_handlers(settings: Settings, log: EventLog) -> WebhookHandlers:
    return WebhookHandlers(
        EventSourcedRepository(log, Webhook),
        settings.webhook_allowance,
        frozenset(settings.signers),
        new_secret,
        SystemClock(),
    )


def workflow_handlers(
    log: EventLog, supplies: Supplies, deeds: Deeds, worker: str
) -> Sequence[object]:
    clock, names = SystemClock(), PostgresNames(log.receipts.recorder)
    workflows = EventSourcedRepository(log, Workflow)
    runs = EventSourcedRepository(log, WorkflowRun)
    pinning = WorkflowPinning(supplies.programs, supplies.tools, names, supplies.allowance)
    return (
        WorkflowHandlers(workflows, pinning, clock),
        WorkflowRunHandlers(runs, workflows, supplies.payloads, deeds, clock, worker),
    )
