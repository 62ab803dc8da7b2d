"""What each event says in plain English; names of things are left open until they are known."""

from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never
from uuid import UUID

from domain.access.events import ApiKeyEvent, ApiKeyIssued, ApiKeyRevoked
from domain.batch.events import BatchEvent
from domain.binding.events import BindingEvent
from domain.budget.events import BudgetEvent
from domain.cache.events import CachePurged
from domain.dataset.events import (
    DatasetCreated,
    DatasetEvent,
    DatasetRowRemoved,
    DatasetRowReplaced,
    DatasetRowsLoaded,
)
from domain.evaluation.events import EvaluationEvent
from domain.execution.events import ExecutionEvent
from domain.kernel import Event, Recorded, members
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleEvent, ModuleRetired
from domain.optimization.events import OptimizationEvent
from domain.parking.events import EventParked, ParkedEventReplayed, ParkingEvent
from domain.price.events import PriceEvent
from domain.probe.events import ProbeAccepted, ProbeEvent, ProbeRefused, ProbeRequested
from domain.program.events import (
    ProgramArchived,
    ProgramCompiled,
    ProgramConfigured,
    ProgramCreated,
    ProgramDeployed,
    ProgramDescribed,
    ProgramEvent,
    ProgramRenamed,
    ProgramRestored,
    ProgramRetired,
    ProgramRevised,
    ProgramTestingStarted,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.graph import module_nodes
from domain.provider.events import DefaultProviderEvent, ProviderEvent
from domain.queue.events import JobRetried, QueueEvent, QueuePaused, QueueResumed
from domain.record.events import RecordEvent
from domain.route.events import RouteEvent
from domain.signature.events import (
    SignatureDefined,
    SignatureEvent,
    SignatureRetired,
    SignatureRevised,
)
from domain.tool.events import ToolCreated, ToolEvent, ToolRetired
from domain.webhook.events import WebhookEvent
from domain.workflow.events import WorkflowEvent
from domain.workflow_run.events import WorkflowRunEvent
from projections.batch_sentences import batch
from projections.money_sentences import budget, price, purge
from projections.provider_sentences import default_provider, provider, route
from projections.record_sentences import binding, record
from projections.run_sentences import evaluation, execution, optimization
from projections.webhook_states import said as webhook
from projections.words import Words, cause_of, many, plain, quoted, score_of
from projections.workflow_sentences import workflow, workflow_run

_SERVICE: Final = "Stratal"


def sentence(recorded: Recorded) -> Words:
    """Who did what, on whose behalf, when, for whom and by which command: one sentence.

    A reaction to an event is done by the service on behalf of who caused that event.
    """
    what = _SAYERS[type(recorded.event)](recorded.originator_id, recorded.event)
    envelope, actor = recorded.envelope, plain(recorded.envelope.actor)
    when = f"{recorded.timestamp.isoformat(' ')[:19]} UTC"
    circumstances = f" ({when}, for {plain(envelope.tenant)}, by {plain(envelope.command)})."
    if envelope.causation_id is None:
        return (actor, " ", *what, circumstances)
    return (_SERVICE, " ", *what, f" on behalf of {actor}", circumstances)


def _signature(id: UUID, event: SignatureEvent) -> Words:
    match event:
        case SignatureDefined(spec=spec):
            shape = f"{many(len(spec.inputs), 'input')} and {many(len(spec.outputs), 'output')}"
            return ("defined signature ", id, f" with {shape}")
        case SignatureRevised(revision=revision):
            return ("revised signature ", id, f" to revision {revision}")
        case SignatureRetired(reason=reason):
            return ("retired signature ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def _module(id: UUID, event: ModuleEvent) -> Words:
    match event:
        case ModuleCreated(spec=spec, signature_id=signature_id, signature_revision=revision):
            made_of = f" as {spec.kind.value} of revision {revision} of signature "
            return ("created module ", id, made_of, signature_id)
        case ModuleConfigured(config=config):
            settings = (
                f" to temperature {config.temperature:g}, at most {config.max_tokens} tokens"
                f" and {many(len(config.demos), 'demo')}"
            )
            return ("set module ", id, settings)
        case ModuleRetired(reason=reason):
            return ("retired module ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def _program(id: UUID, event: ProgramEvent) -> Words:
    match event:
        case ProgramCreated(graph=graph):
            modules = sum(1 for _ in module_nodes(graph))
            return ("created program ", id, f" of {many(modules, 'module')}")
        case ProgramTestingStarted():
            return ("started to test program ", id)
        case ProgramCompiled(new_version=new, base_version=base, training_score=score) as compiled:
            made = f"compiled version {new} of program "
            how = f" from version {base} by {plain(compiled.optimizer)}, which scored "
            scored = f"{score_of(score)} in training in optimization {compiled.optimization_id}"
            return (made, id, how + scored)
        case ProgramDeployed() as deployed:
            live = f"deployed version {deployed.program_version} of program "
            return (live, id, _replaced(deployed) + f" because {quoted(deployed.reason)}")
        case ProgramArchived(reason=reason):
            return ("archived program ", id, f" because {quoted(reason)}")
        case ProgramRestored():
            return ("restored program ", id, " from the archive")
        case ProgramRetired(reason=reason):
            return ("retired program ", id, f" because {quoted(reason)}")
        case (
            ProgramRevised()
            | ProgramVersionEdited()
            | ProgramVersionRestored()
            | ProgramVersionImported()
        ):
            return _version(id, event)
        case ProgramRenamed() | ProgramDescribed() | ProgramConfigured():
            return _described(id, event)
        case _:
            assert_never(event)


def _version(
    id: UUID,
    event: ProgramRevised | ProgramVersionEdited | ProgramVersionRestored | ProgramVersionImported,
) -> Words:
    new = f"version {event.new_version} of program "
    match event:
        case ProgramRevised(graph=graph, reason=reason):
            return (
                f"wrote {new}",
                id,
                f" of {many(len(graph.nodes), 'node')}{_because(reason)}",
            )
        case ProgramVersionEdited(base_version=base, predictors=predictors, reason=reason):
            what = ", ".join(map(plain, predictors)) or "how prompts are written"
            told = f" into version {event.new_version} ({what}){_because(reason)}"
            return (f"edited version {base} of program ", id, told)
        case ProgramVersionRestored(restored_version=restored, reason=reason):
            return (f"made version {restored} once more as {new}", id, _because(reason))
        case ProgramVersionImported(base_version=base, origin=origin):
            return (f"imported {new}", id, f", which was {origin.value} from version {base}")


def _described(id: UUID, event: ProgramRenamed | ProgramDescribed | ProgramConfigured) -> Words:
    match event:
        case ProgramRenamed(name=name, former_name=former):
            return (f"renamed program {quoted(former)} to {quoted(name)}",)
        case ProgramDescribed(description=description):
            said = "nothing" if description is None else quoted(description)
            return ("described program ", id, f" as {said}")
        case ProgramConfigured(default_optimizer=optimizer):
            by_default = "" if optimizer is None else f" with {plain(optimizer)} by default"
            return ("configured program ", id, by_default)


def _because(reason: str) -> str:
    return f" because {quoted(reason)}"


def _replaced(event: ProgramDeployed) -> str:
    before = "" if event.previous_version is None else f" in place of {event.previous_version}"
    scores = [
        f"{score_of(each.score)} {plain(each.metric)} of version {each.version}"
        for each in event.evidence
    ]
    return before + (f" on the evidence of {' and '.join(scores)}" if scores else "")


def _dataset(id: UUID, event: DatasetEvent) -> Words:
    match event:
        case DatasetCreated(purpose=purpose):
            return ("created dataset ", id, f" for {purpose.value} use")
        case DatasetRowsLoaded(count=count, split=split):
            rows = f"loaded {many(count, 'row')} into the {split.value} part of dataset "
            return (rows, id)
        case DatasetRowReplaced(row=row, split=split, reason=reason):
            what = f"replaced {split.value} row {row} of dataset "
            return (what, id, _because(reason))
        case DatasetRowRemoved(row=row, split=split, reason=reason):
            what = f"removed {split.value} row {row} of dataset "
            return (what, id, _because(reason))
        case _:
            assert_never(event)


def _probe(id: UUID, event: ProbeEvent) -> Words:
    match event:
        case ProbeRequested(promise=promise):
            return (f"asked to try module {plain(promise.import_path)} out as probe {id}",)
        case ProbeAccepted(findings=findings):
            predictors = many(len(findings.predictors), "predictor")
            pinned = f"with {predictors} and source {findings.source_sha256[:12]}"
            return (f"accepted the module of probe {id} {pinned}",)
        case ProbeRefused(failure=failure):
            return (f"refused the module of probe {id} because {cause_of(failure)}",)
        case _:
            assert_never(event)


def _tool(id: UUID, event: ToolEvent) -> Words:
    match event:
        case ToolCreated(spec=spec):
            return ("created tool ", id, f" of the kind {spec.kind}")
        case ToolRetired(reason=reason):
            return ("retired tool ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def _api_key(id: UUID, event: ApiKeyEvent) -> Words:
    match event:
        case ApiKeyIssued(name=name, roles=roles, expires_at=end):
            told = f" to {plain(name)} as {', '.join(roles)} until {end:%Y-%m-%d}"
            return ("issued key ", id, told)
        case ApiKeyRevoked(reason=reason):
            return ("revoked key ", id, f" because {quoted(reason)}")
        case _:
            assert_never(event)


def _parking(_id: UUID, event: ParkingEvent) -> Words:
    what = f"event {event.position} ({plain(event.topic)}) of "
    where = f" in version {event.version} of {plain(event.projection)}"
    match event:
        case EventParked(error=error):
            return (f"parked {what}", event.stream_id, f"{where} because of {plain(error)}")
        case ParkedEventReplayed():
            return (f"replayed {what}", event.stream_id, where)
        case _:
            assert_never(event)


def _queue(_id: UUID, event: QueueEvent) -> Words:
    match event:
        case QueuePaused(queue=queue, reason=reason):
            return (f"paused queue {plain(queue)} because {quoted(reason)}",)
        case QueueResumed(queue=queue):
            return (f"resumed queue {plain(queue)}",)
        case JobRetried(queue=queue, command=command):
            return (f"had {plain(command)} of queue {plain(queue)} tried again",)
        case _:
            assert_never(event)


def _sayers() -> Iterable[tuple[type[Event], Callable[[UUID, Any], Words]]]:
    unions: tuple[tuple[Any, Callable[[UUID, Any], Words]], ...] = (
        (SignatureEvent, _signature),
        (ModuleEvent, _module),
        (ProgramEvent, _program),
        (DatasetEvent, _dataset),
        (ExecutionEvent, execution),
        (OptimizationEvent, optimization),
        (EvaluationEvent, evaluation),
        (ProbeEvent, _probe),
        (ToolEvent, _tool),
        (WorkflowEvent, workflow),
        (WorkflowRunEvent, workflow_run),
        (WebhookEvent, webhook),
        (ApiKeyEvent, _api_key),
        (BatchEvent, batch),
        (BudgetEvent, budget),
        (ProviderEvent, provider),
        (DefaultProviderEvent, default_provider),
        (RouteEvent, route),
        (PriceEvent, price),
        (CachePurged, purge),
        (RecordEvent, record),
        (BindingEvent, binding),
        (ParkingEvent, _parking),
        (QueueEvent, _queue),
    )
    for union, say in unions:
        for event in members(union):
            yield event, say


_SAYERS: Final = dict(_sayers())

SAID: Final[tuple[type[Event], ...]] = tuple(_SAYERS)
"""Every event that has a sentence: all there are."""
