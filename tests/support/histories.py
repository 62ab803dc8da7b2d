"""Realistic events of every aggregate, and a log that records them as the real one would.

Each builder takes the few things that a test is about and fills in the rest.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid5

from domain.dataset.events import (
    DatasetCreated,
    DatasetRowRemoved,
    DatasetRowReplaced,
    DatasetRowsLoaded,
)
from domain.dataset.values import Purpose, Split
from domain.evaluation.events import (
    EvaluationCompleted,
    EvaluationLmCalled,
    EvaluationRequested,
    EvaluationStarted,
)
from domain.execution.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
)
from domain.execution.values import Caller
from domain.kernel import Envelope, Event, Recorded
from domain.module.events import ModuleConfigured, ModuleCreated
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind, ModuleSpec
from domain.optimization.events import (
    OptimizationCompleted,
    OptimizationLmCalled,
    OptimizationRequested,
    OptimizationStarted,
    TrialScored,
)
from domain.optimization.values import Adoption, HeldOut
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
    ProgramRevised,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.graph import ModuleNode, ProgramGraph, Source
from domain.program.values import Evidence, Origin, Pins
from domain.signature.events import SignatureDefined, SignatureRevised
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import EnumOf
from domain.tool.values import PythonTool
from domain.values import Digest, Failure, LmCall, LmSpend, LmUsage, PayloadRef

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TENANT = "acme"
ACTOR = "alice"
MODEL = "openai/gpt-4o-mini"

_NAMESPACE = UUID("6d1f4c1e-6f0b-4f43-8d1a-5a6f1a8c2b11")


def an_id(name: str) -> UUID:
    """The same id for the same *name*, in every run."""
    return uuid5(_NAMESPACE, name)


TOOL = PythonTool(
    name="search",
    description="Find articles.",
    entry_point="shop.tools:search",
    arguments=(FieldSpec(name="query"),),
)


def digest_of(text: str) -> Digest:
    return hashlib.sha256(text.encode()).hexdigest()


def ref(text: str) -> PayloadRef:
    """Where *text* would lie if it had been stored."""
    return PayloadRef(digest=digest_of(text), size_bytes=len(text.encode()) + 2)


TRIAGE = SignatureSpec(
    inputs=(FieldSpec(name="message"),),
    outputs=(FieldSpec(name="queue", type=EnumOf(values=("bug", "billing", "howto"))),),
    instructions="Choose the queue that the message belongs to.",
)
PREDICT = ModuleSpec(kind=ModuleKind.PREDICT, signature=TRIAGE, config=DEFAULTS[ModuleKind.PREDICT])
GRAPH = ProgramGraph(
    signature=TRIAGE,
    nodes=(
        ModuleNode(
            id="classify",
            module=PREDICT,
            inputs={"message": Source(field="message")},
            module_id=uuid5(_NAMESPACE, "module"),
        ),
    ),
    outputs={"queue": Source(node="classify", field="queue")},
)
FAILURE = Failure(
    code="provider.rate_limited",
    message="The provider asked us to slow down.",
    retryable=True,
    provider_status=429,
)


@dataclass
class Log:
    """An in-memory event log: one order over all streams, a second between two events."""

    tenant: str = TENANT
    actor: str = ACTOR
    at: datetime = NOW
    recorded: list[Recorded] = field(default_factory=list[Recorded])
    position: int = 0
    versions: dict[tuple[str, UUID], int] = field(default_factory=dict[tuple[str, UUID], int])

    def append(self, id: UUID, *events: Event, **envelope: Any) -> Sequence[Recorded]:
        """Record *events* of the stream *id*; *envelope* overrides what would be filled in."""
        added = [self._record(id, event, envelope) for event in events]
        self.recorded.extend(added)
        return added

    def _record(self, id: UUID, event: Event, envelope: dict[str, Any]) -> Recorded:
        self.position += 1
        self.at += timedelta(seconds=1)
        filled = Envelope(
            **{
                "event_id": an_id(f"event {self.position}"),
                "tenant": self.tenant,
                "actor": self.actor,
                "command": f"Cause{type(event).__name__}",
                "command_id": f"command-{self.position}",
                "correlation_id": an_id(f"because of {id}"),
                **envelope,
            }
        )
        key = (filled.tenant, id)
        self.versions[key] = self.versions.get(key, 0) + 1
        return Recorded(id, self.versions[key], event, self.at, filled, self.position)


def signature_defined(name: str = "triage", spec: SignatureSpec = TRIAGE) -> SignatureDefined:
    return SignatureDefined(name=name, spec=spec, content_hash=digest_of(repr(spec)))


def signature_revised(revision: int = 2, spec: SignatureSpec = TRIAGE) -> SignatureRevised:
    return SignatureRevised(revision=revision, spec=spec, content_hash=digest_of(repr(spec)))


def module_created(name: str = "triage-predict", signature: str = "signature") -> ModuleCreated:
    return ModuleCreated(
        name=name, spec=PREDICT, signature_id=an_id(signature), signature_revision=1
    )


def module_configured(
    *, temperature: float = 0.5, max_tokens: int = 64, demos: tuple[dict[str, Any], ...] = ()
) -> ModuleConfigured:
    config = ModuleConfig(temperature=temperature, max_tokens=max_tokens, demos=demos)
    return ModuleConfigured(config=config)


def program_created(name: str = "triage", graph: ProgramGraph = GRAPH) -> ProgramCreated:
    return ProgramCreated(
        name=name,
        description="Sorts messages into queues.",
        config={"owner": "support"},
        graph=graph,
        default_optimizer="bootstrap_fewshot",
    )


def program_compiled(
    new_version: int = 2,
    *,
    base_version: int = 1,
    optimization: str = "optimization",
    training_score: float | None = 0.75,
) -> ProgramCompiled:
    return ProgramCompiled(
        new_version=new_version,
        base_version=base_version,
        optimization_id=an_id(optimization),
        optimizer="bootstrap_fewshot",
        state=ref(f"state of version {new_version}"),
        training_score=training_score,
    )


def later_versions(first: int) -> Sequence[ProgramEvent]:
    """Four versions from number *first* on, each made in another way."""
    pins = Pins(adapter="chat", libraries={"dspy": "3.4.1"})
    node = GRAPH.nodes[0].model_copy(update={"id": "sort"})
    other = GRAPH.model_copy(
        update={"nodes": (node,), "outputs": {"queue": Source(node="sort", field="queue")}}
    )
    why = "It needs another name."
    return (
        ProgramRevised(
            new_version=first, base_version=first - 1, graph=other, pins=pins, reason=why
        ),
        ProgramVersionEdited(
            new_version=first + 1,
            base_version=first - 1,
            predictors=("classify",),
            edits=ref("edits"),
            pins=pins,
            reason="It was too polite.",
        ),
        ProgramVersionRestored(
            new_version=first + 2, restored_version=first, reason="It was better."
        ),
        ProgramVersionImported(
            new_version=first + 3,
            base_version=first + 1,
            origin=Origin.COMPILED,
            state=ref("state from elsewhere"),
            edits=None,
            pins=pins,
            optimizer="copro",
            training_score=0.25,
            reason=None,
        ),
    )


def program_changes() -> Sequence[ProgramEvent]:
    """All that happens to a program besides its versions and its life."""
    return (
        ProgramRenamed(name="sorting", former_name="triage"),
        ProgramDescribed(description=None),
        ProgramConfigured(config={"owner": "nobody"}, default_optimizer=None),
        ProgramArchived(reason="It rests."),
        ProgramRestored(),
    )


def evidence(version: int, score: float, evaluation: str = "evaluation") -> Evidence:
    return Evidence(
        evaluation_id=an_id(evaluation),
        version=version,
        score=score,
        metric="exact_match",
        dataset_id=an_id("dataset"),
        split="heldout",
    )


def program_deployed(
    program_version: int = 1,
    *,
    previous_version: int | None = None,
    reason: str = "It is the first.",
    on: tuple[Evidence, ...] = (),
) -> ProgramDeployed:
    return ProgramDeployed(
        program_version=program_version,
        previous_version=previous_version,
        reason=reason,
        evidence=on,
    )


def dataset_created(name: str = "tickets", purpose: Purpose = Purpose.TRAINING) -> DatasetCreated:
    return DatasetCreated(name=name, purpose=purpose, description="Written by ourselves.")


def rows_loaded(
    count: int = 20,
    *,
    split: Split = Split.TRAIN,
    fields: tuple[str, ...] = ("message", "queue"),
) -> DatasetRowsLoaded:
    chunks = (ref(f"{count} rows of {split}"),)
    return DatasetRowsLoaded(split=split, chunks=chunks, count=count, fields=fields)


def row_replaced(row: str = "2-1", *, split: Split = Split.TRAIN) -> DatasetRowReplaced:
    why = "It was mislabelled."
    return DatasetRowReplaced(row=row, split=split, content=ref("a better row"), reason=why)


def row_removed(row: str = "2-2", *, split: Split = Split.TRAIN) -> DatasetRowRemoved:
    return DatasetRowRemoved(row=row, split=split, reason="It is held out, too.")


def lm_call(
    text: str = "prompt",
    *,
    node: str = "classify",
    role: Literal["task", "optimizer"] = "task",
    model: str = MODEL,
    usage: LmUsage | None = None,
    cost_usd: Decimal | None = Decimal("0.000123"),
    latency_ms: float = 350.0,
    failure: Failure | None = None,
) -> LmCall:
    """A call that asked *text*; one that failed has no answer, no usage and no cost."""
    answered = failure is None
    counted = LmUsage(prompt_tokens=100, completion_tokens=20, total_tokens=120)
    return LmCall(
        key=digest_of(f"{model} {text}"),
        node=node,
        role=role,
        model=model,
        model_served=f"{model}-2024-07-18" if answered else None,
        request=ref(text),
        response=ref(f"answer to {text}") if answered else None,
        usage=(usage or counted) if answered else LmUsage(),
        cost_usd=cost_usd if answered else None,
        latency_ms=latency_ms,
        attempts=1 if answered else 3,
        finish_reason="stop" if answered else None,
        failure=failure,
    )


def spend_of(calls: Iterable[LmCall]) -> LmSpend:
    spend = LmSpend()
    for call in calls:
        spend = spend.plus(call)
    return spend


def execution_requested(
    program: str = "program",
    program_version: int = 1,
    inputs: str = "inputs",
    caller: Caller | None = None,
) -> ExecutionRequested:
    return ExecutionRequested(
        program_id=an_id(program),
        program_version=program_version,
        inputs=ref(inputs),
        caller=caller,
    )


def execution_completed(*calls: LmCall, duration_ms: float = 400.0) -> ExecutionCompleted:
    return ExecutionCompleted(
        outputs=ref("outputs"), duration_ms=duration_ms, spend=spend_of(calls)
    )


def execution_failed(*calls: LmCall, failure: Failure = FAILURE) -> ExecutionFailed:
    return ExecutionFailed(failure=failure, duration_ms=90.0, spend=spend_of(calls))


def optimization_requested(
    program: str = "program",
    *,
    program_version: int = 1,
    dataset: str = "dataset",
    adopt: Adoption = Adoption.AUTO,
) -> OptimizationRequested:
    return OptimizationRequested(
        program_id=an_id(program),
        program_version=program_version,
        optimizer="bootstrap_fewshot",
        config={"max_bootstrapped_demos": 4, "max_labeled_demos": 16},
        dataset_id=an_id(dataset),
        dataset_rows=20,
        metric="exact_match",
        seed=9,
        dataset_version=2,
        adopt=adopt,
    )


def optimization_started(attempt: int = 1, worker: str = "worker-1") -> OptimizationStarted:
    return OptimizationStarted(attempt=attempt, worker=worker, pins={"dspy": "3.4.1", "seed": "9"})


def trial_scored(trial: int = 1, score: float = 0.5) -> TrialScored:
    return TrialScored(trial=trial, score=score, candidate=ref(f"candidate {trial}"))


def optimization_completed(
    *calls: LmCall,
    trials: int = 1,
    training_score: float | None = 0.75,
    heldout: HeldOut | None = None,
) -> OptimizationCompleted:
    return OptimizationCompleted(
        state=ref("best state"),
        training_score=training_score,
        trials=trials,
        duration_ms=61_000.0,
        spend=spend_of(calls),
        heldout=heldout,
    )


def evaluation_requested(
    program: str = "program",
    *,
    program_version: int = 1,
    dataset: str = "dataset",
    split: Split = Split.HELDOUT,
) -> EvaluationRequested:
    return EvaluationRequested(
        program_id=an_id(program),
        program_version=program_version,
        dataset_id=an_id(dataset),
        split=split,
        dataset_rows=30,
        metric="exact_match",
        dataset_version=3,
    )


def evaluation_completed(
    *calls: LmCall, score: float = 0.6, rows_failed: int = 0
) -> EvaluationCompleted:
    return EvaluationCompleted(
        score=score,
        rows=ref("scored rows"),
        rows_total=30,
        rows_failed=rows_failed,
        duration_ms=12_000.0,
        spend=spend_of(calls),
    )


def an_execution(
    *calls: LmCall, program: str = "program", program_version: int = 1
) -> tuple[Event, ...]:
    """A whole run that completed, with *calls* or one of its own."""
    made = calls or (lm_call(),)
    return (
        execution_requested(program, program_version),
        ExecutionStarted(attempt=1, worker="worker-1"),
        *(ExecutionLmCalled(call=call) for call in made),
        execution_completed(*made),
    )


def an_optimization(*calls: LmCall, scores: tuple[float, ...] = (0.5, 0.75)) -> tuple[Event, ...]:
    """A whole optimizer run that completed: a call before each trial."""
    made = calls or tuple(lm_call(f"trial {n}", cost_usd=None) for n in range(1, len(scores) + 1))
    return (
        optimization_requested(),
        optimization_started(),
        *(OptimizationLmCalled(call=call) for call in made),
        *(trial_scored(n, score) for n, score in enumerate(scores, 1)),
        optimization_completed(*made, trials=len(scores), training_score=max(scores)),
    )


def an_evaluation(
    *calls: LmCall, program_version: int = 1, score: float = 0.6
) -> tuple[Event, ...]:
    """A whole evaluation that completed."""
    made = calls or (lm_call(f"row for version {program_version}"),)
    return (
        evaluation_requested(program_version=program_version),
        EvaluationStarted(attempt=1, worker="worker-1"),
        *(EvaluationLmCalled(call=call) for call in made),
        evaluation_completed(*made, score=score),
    )
