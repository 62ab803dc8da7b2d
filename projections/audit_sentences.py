"""What each event says in plain English; names of things are left open until they are known."""

from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never, get_args
from uuid import UUID

from domain.dataset.events import DatasetCreated, DatasetEvent, DatasetRowsLoaded
from domain.evaluation.events import (
    EvaluationCancelled,
    EvaluationCompleted,
    EvaluationEvent,
    EvaluationFailed,
    EvaluationLmCalled,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationToolCalled,
)
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionEvent,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
    ExecutionToolCalled,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.kernel import Event, Recorded
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleEvent, ModuleRetired
from domain.optimization.events import (
    OptimizationCancelled,
    OptimizationCompleted,
    OptimizationEvent,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRequested,
    OptimizationStarted,
    OptimizationToolCalled,
    TrialScored,
)
from domain.parking.events import EventParked, ParkedEventReplayed, ParkingEvent
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
from domain.signature.events import (
    SignatureDefined,
    SignatureEvent,
    SignatureRetired,
    SignatureRevised,
)
from domain.tool.events import ToolCreated, ToolEvent, ToolRetired
from domain.values import Failure, LmCall, LmSpend, ToolCall

Words = tuple[str | UUID, ...]
"""A sentence in pieces; an id stands for the name of the thing, or for itself if it has none."""

_MOST_CHARACTERS: Final = 200
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


def quoted(text: str) -> str:
    """*text* as a quotation that cannot be mistaken for our own words: one line, and short."""
    line = plain(text).replace("“", "'").replace("”", "'")
    cut = line if len(line) <= _MOST_CHARACTERS else line[: _MOST_CHARACTERS - 1] + "…"
    return f"“{cut}”"


def plain(text: str) -> str:
    """*text* on one line, without characters that do not show or turn the line around."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def _signature(id: UUID, event: SignatureEvent) -> Words:
    match event:
        case SignatureDefined(spec=spec):
            shape = f"{_count(len(spec.inputs), 'input')} and {_count(len(spec.outputs), 'output')}"
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
                f" and {_count(len(config.demos), 'demo')}"
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
            return ("created program ", id, f" of {_count(modules, 'module')}")
        case ProgramTestingStarted():
            return ("started to test program ", id)
        case ProgramCompiled(new_version=new, base_version=base, training_score=score) as compiled:
            made = f"compiled version {new} of program "
            how = f" from version {base} by {plain(compiled.optimizer)}, which scored "
            scored = f"{_score(score)} in training in optimization {compiled.optimization_id}"
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
            return (f"wrote {new}", id, f" of {_count(len(graph.nodes), 'node')}{_because(reason)}")
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
        f"{_score(each.score)} {plain(each.metric)} of version {each.version}"
        for each in event.evidence
    ]
    return before + (f" on the evidence of {' and '.join(scores)}" if scores else "")


def _dataset(id: UUID, event: DatasetEvent) -> Words:
    match event:
        case DatasetCreated(purpose=purpose):
            return ("created dataset ", id, f" for {purpose.value} use")
        case DatasetRowsLoaded(count=count, split=split):
            rows = f"loaded {_count(count, 'row')} into the {split.value} part of dataset "
            return (rows, id)
        case _:
            assert_never(event)


def _execution(id: UUID, event: ExecutionEvent) -> Words:
    match event:
        case ExecutionRequested(program_id=program_id, program_version=version):
            return (f"asked to run version {version} of program ", program_id, f" as run {id}")
        case ExecutionStarted(attempt=attempt, worker=worker):
            return (f"began attempt {attempt} of run {id} on worker {plain(worker)}",)
        case ExecutionLmCalled(call=call):
            return (_called(call, f"run {id}"),)
        case ExecutionToolCalled(call=call):
            return (_used(call, f"run {id}"),)
        case ExecutionCompleted(duration_ms=duration_ms, spend=spend):
            return (f"completed run {id} in {_time(duration_ms)} with {_spent(spend)}",)
        case ExecutionFailed(failure=failure, spend=spend):
            return (f"gave up run {id} after {_spent(spend)} because {_why(failure)}",)
        case ExecutionCancelled(reason=reason):
            return (f"cancelled run {id} because {quoted(reason)}",)
        case ReplayRequested() | ReplayVerified() | ReplayDiverged():
            return _replay(id, event)
        case _:
            assert_never(event)


def _replay(id: UUID, event: ReplayRequested | ReplayVerified | ReplayDiverged) -> Words:
    match event:
        case ReplayRequested(replay=replay):
            return (f"asked for replay {replay} of run {id}",)
        case ReplayVerified(replay=replay, answered_from_log=answered):
            how = f"with equal outputs, {_count(answered, 'call')} from the log and none made"
            return (f"verified replay {replay} of run {id} {how}",)
        case ReplayDiverged(replay=replay, failure=failure):
            return (f"found that replay {replay} of run {id} diverges because {_why(failure)}",)
        case _:
            assert_never(event)


def _optimization(id: UUID, event: OptimizationEvent) -> Words:
    match event:
        case OptimizationRequested() as asked:
            what = f"asked {plain(asked.optimizer)} to optimize version {asked.program_version}"
            learn = f" for {plain(asked.metric)} on {_count(asked.dataset_rows, 'row')} of dataset "
            as_ = f" as optimization {id}"
            return (what + " of program ", asked.program_id, learn, asked.dataset_id, as_)
        case OptimizationStarted(attempt=attempt, worker=worker):
            return (f"began attempt {attempt} of optimization {id} on worker {plain(worker)}",)
        case OptimizationLmCalled(call=call):
            return (_called(call, f"optimization {id}"),)
        case OptimizationToolCalled(call=call):
            return (_used(call, f"optimization {id}"),)
        case TrialScored(trial=trial, score=score):
            return (f"scored trial {trial} of optimization {id} at {_score(score)}",)
        case OptimizationCompleted(trials=trials, training_score=score, spend=spend) as done:
            after = (
                f"after {_count(trials, 'trial')}, {_time(done.duration_ms)} and {_spent(spend)}"
            )
            return (
                f"completed optimization {id} with a training score of {_score(score)} {after}",
            )
        case OptimizationFailed(failure=failure, spend=spend):
            return (f"gave up optimization {id} after {_spent(spend)} because {_why(failure)}",)
        case OptimizationCancelled(reason=reason):
            return (f"cancelled optimization {id} because {quoted(reason)}",)
        case _:
            assert_never(event)


def _evaluation(id: UUID, event: EvaluationEvent) -> Words:
    match event:
        case EvaluationRequested() as asked:
            what = f"asked to score version {asked.program_version} of program "
            rows = f" by {plain(asked.metric)} on {_count(asked.dataset_rows, 'row')}"
            part = f"{rows} of the {asked.split.value} part of dataset "
            return (what, asked.program_id, part, asked.dataset_id, f" as evaluation {id}")
        case EvaluationStarted(attempt=attempt, worker=worker):
            return (f"began attempt {attempt} of evaluation {id} on worker {plain(worker)}",)
        case EvaluationLmCalled(call=call):
            return (_called(call, f"evaluation {id}"),)
        case EvaluationToolCalled(call=call):
            return (_used(call, f"evaluation {id}"),)
        case EvaluationCompleted(score=score, rows_total=total, rows_failed=failed, spend=spend):
            rows = f"over {_count(total, 'row')}, {failed} of them failed"
            return (f"completed evaluation {id} at {_score(score)} {rows}, with {_spent(spend)}",)
        case EvaluationFailed(failure=failure, spend=spend):
            return (f"gave up evaluation {id} after {_spent(spend)} because {_why(failure)}",)
        case EvaluationCancelled(reason=reason):
            return (f"cancelled evaluation {id} because {quoted(reason)}",)
        case _:
            assert_never(event)


def _probe(id: UUID, event: ProbeEvent) -> Words:
    match event:
        case ProbeRequested(promise=promise):
            return (f"asked to try module {plain(promise.import_path)} out as probe {id}",)
        case ProbeAccepted(findings=findings):
            predictors = _count(len(findings.predictors), "predictor")
            pinned = f"with {predictors} and source {findings.source_sha256[:12]}"
            return (f"accepted the module of probe {id} {pinned}",)
        case ProbeRefused(failure=failure):
            return (f"refused the module of probe {id} because {_why(failure)}",)
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


def _called(call: LmCall, run: str) -> str:
    tokens = call.usage.total_tokens
    counted = "an unknown number of tokens" if tokens is None else _count(tokens, "token")
    cost = "unknown cost" if call.cost_usd is None else f"${call.cost_usd:f}"
    text = f"called model {plain(call.model)} for predictor {plain(call.node)} in {run}"
    text += f" with {counted}, {cost} and {_time(call.latency_ms)}"
    return text if call.failure is None else text + f" and got no answer: {_why(call.failure)}"


def _used(call: ToolCall, run: str) -> str:
    what = {"tool": "tool", "retrieval": "retriever", "code": "interpreter"}[call.kind]
    text = f"called {what} {plain(call.tool)} for {plain(call.node)} in {run}"
    text += f" in {_time(call.latency_ms)}"
    return text if call.failure is None else text + f" and was told: {_why(call.failure)}"


def _spent(spend: LmSpend) -> str:
    cost = "at unknown cost" if spend.cost_usd is None else f"at ${spend.cost_usd:f}"
    return f"{_count(spend.calls, 'model call')} {cost}"


def _why(failure: Failure) -> str:
    return f"{quoted(failure.message)} ({plain(failure.code)})"


def _score(score: float | None) -> str:
    return "an unknown score" if score is None else f"{score:.3g}"


def _time(duration_ms: float) -> str:
    return f"{duration_ms:.0f} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _sayers() -> Iterable[tuple[type[Event], Callable[[UUID, Any], Words]]]:
    unions: tuple[tuple[Any, Callable[[UUID, Any], Words]], ...] = (
        (SignatureEvent, _signature),
        (ModuleEvent, _module),
        (ProgramEvent, _program),
        (DatasetEvent, _dataset),
        (ExecutionEvent, _execution),
        (OptimizationEvent, _optimization),
        (EvaluationEvent, _evaluation),
        (ProbeEvent, _probe),
        (ToolEvent, _tool),
        (ParkingEvent, _parking),
    )
    for union, say in unions:
        for event in get_args(union):
            yield event, say


_SAYERS: Final = dict(_sayers())

SAID: Final[tuple[type[Event], ...]] = tuple(_SAYERS)
"""Every event that has a sentence: all there are."""
