"""An example of every event with all its fields filled, and of what its fields may be besides.

The first of each is full: no field is null or empty. What follows shows the other alternatives.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.access.events import ApiKeyIssued, ApiKeyRevoked
from domain.access.values import Role
from domain.dataset.events import (
    DatasetCreated,
    DatasetRowRemoved,
    DatasetRowReplaced,
    DatasetRowsLoaded,
)
from domain.dataset.values import Purpose, Split
from domain.evaluation.events import (
    EvaluationCancelled,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationLmCalled,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationToolCalled,
)
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.execution.values import Caller, Divergence
from domain.kernel import Envelope, Event
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleRetired
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationCancelled,
    OptimizationCompleted,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRejected,
    OptimizationRequested,
    OptimizationStarted,
    OptimizationToolCalled,
    TrialScored,
)
from domain.optimization.values import Adoption, HeldOut
from domain.parking.events import EventParked, ParkedEventReplayed
from domain.probe.events import ProbeAccepted, ProbeRefused, ProbeRequested
from domain.probe.values import Findings, ModulePromise, PredictorFound
from domain.program.events import (
    ProgramArchived,
    ProgramCompiled,
    ProgramConfigured,
    ProgramCreated,
    ProgramDeployed,
    ProgramDescribed,
    ProgramRenamed,
    ProgramRestored,
    ProgramRetired,
    ProgramRevised,
    ProgramTestingStarted,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.values import Evidence, Origin, Pins
from domain.queue.events import JobRetried, QueuePaused, QueueResumed
from domain.signature.events import SignatureDefined, SignatureRetired, SignatureRevised
from domain.tool.events import ToolCreated, ToolRetired
from domain.values import (
    Cache,
    Failure,
    LmCall,
    LmSpend,
    LmUsage,
    PayloadRef,
    Reading,
    RunRef,
    ToolCall,
)
from tests.architecture.golden.graphs import (
    BARE_GRAPH,
    BARE_MODULE,
    BARE_SPEC,
    CONFIG,
    GRAPH,
    MODULE,
    MODULES,
    RICH_GRAPH,
    RICH_MODULE,
    RICH_SPEC,
    SPEC,
    TOOLS,
)
from tests.architecture.golden.records import RECORDS
from tests.architecture.golden.workflows import WORKFLOWS
from tests.support.batches import EXAMPLES as BATCHES
from tests.support.budgets import EXAMPLES as BUDGETS
from tests.support.caches import PURGES
from tests.support.histories import an_id, digest_of, ref
from tests.support.prices import EXAMPLES as PRICES
from tests.support.providers import EXAMPLES as PROVIDERS
from tests.support.routes import EXAMPLES as ROUTES

AT: Final = datetime(2030, 1, 1, 12, 30, 59, 123456, tzinfo=UTC)

ENVELOPE: Final = Envelope(
    event_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    tenant="acme",
    actor="ann",
    command="CreateProgram",
    command_id="key of the caller",
    correlation_id=UUID("01890a5d-ac96-774b-bcce-b302099a8058"),
    causation_id=UUID("01890a5d-ac96-774b-bcce-b302099a8059"),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
BARE_ENVELOPE: Final = ENVELOPE.model_copy(update={"causation_id": None, "traceparent": None})

_CALLER = Caller(kind="batch", id=an_id("batch"), place=3)
_FAILURE = Failure(
    code="provider.rate_limited", message="Try later.", retryable=True, provider_status=429
)
_BARE_FAILURE = Failure(code="program.failed", message="It ended.")
_USAGE = LmUsage(
    prompt_tokens=100,
    completion_tokens=20,
    cached_tokens=10,
    reasoning_tokens=5,
    total_tokens=120,
)
_CALL = LmCall(
    key=digest_of("key"),
    node="classify",
    role="optimizer",
    model="openai/gpt-4o-mini",
    model_served="gpt-4o-mini-2024-07-18",
    rollout_id=3,
    candidate=1,
    request=ref("request"),
    response=ref("response"),
    usage=_USAGE,
    cost_usd=Decimal("0.0001230"),
    latency_ms=350.25,
    attempts=2,
    finish_reason="stop",
    failure=_FAILURE,
    filled_by=RunRef(kind="execution", id=an_id("execution")),
)
_FAILED_CALL = LmCall(
    key=digest_of("key"),
    node="classify",
    model="openai/gpt-4o-mini",
    request=ref("request"),
    response=None,
    latency_ms=0,
    failure=_BARE_FAILURE,
)
_EVERY_TYPE = (*RICH_SPEC.inputs, *RICH_SPEC.outputs, *SPEC.outputs)
_TOOL_CALL = ToolCall(
    key=digest_of("code"),
    kind="code",
    node="agent",
    tool="python",
    arguments=ref("arguments"),
    result=ref("result"),
    latency_ms=12.5,
    failure=_FAILURE,
    filled_by=RunRef(kind="execution", id=an_id("execution")),
)
_BARE_TOOL_CALL = ToolCall(
    key=digest_of("tool"),
    node="agent",
    tool="search",
    arguments=ref("arguments"),
    result=ref("result"),
    latency_ms=0,
)
_PINS = Pins(adapter="json", libraries={"dspy": "3.4.1"})
_SPEND = LmSpend(
    calls=2,
    prompt_tokens=200,
    completion_tokens=40,
    total_tokens=240,
    cost_usd=Decimal("0.000246"),
)
_UNKNOWN_SPEND = LmSpend(
    calls=1, prompt_tokens=None, completion_tokens=None, total_tokens=None, cost_usd=None
)
_EVIDENCE = Evidence(
    evaluation_id=an_id("evaluation"),
    version=2,
    score=0.75,
    metric="exact_match",
    dataset_id=an_id("dataset"),
    split="heldout",
)
_CHUNK = PayloadRef(digest=digest_of("rows"), size_bytes=4096)
_PROGRAM, _DATASET = an_id("program"), an_id("dataset")

_THINGS: Sequence[Sequence[Event]] = (
    (
        SignatureDefined(name="triage", spec=SPEC, content_hash=digest_of("spec")),
        SignatureDefined(name="bare", spec=BARE_SPEC, content_hash=digest_of("bare")),
        SignatureDefined(name="rich", spec=RICH_SPEC, content_hash=digest_of("rich")),
    ),
    (
        SignatureRevised(revision=2, spec=SPEC, content_hash=digest_of("spec")),
        SignatureRevised(revision=3, spec=RICH_SPEC, content_hash=digest_of("rich")),
    ),
    (SignatureRetired(reason="Nobody uses it."),),
    (
        ModuleCreated(
            name="triage", spec=MODULE, signature_id=an_id("signature"), signature_revision=2
        ),
        ModuleCreated(
            name="bare", spec=BARE_MODULE, signature_id=an_id("signature"), signature_revision=1
        ),
        *(
            ModuleCreated(
                name="kind", spec=each, signature_id=an_id("signature"), signature_revision=1
            )
            for each in MODULES
        ),
        ModuleCreated(
            name="rich", spec=RICH_MODULE, signature_id=an_id("signature"), signature_revision=1
        ),
    ),
    (ModuleConfigured(config=CONFIG), ModuleConfigured(config=BARE_MODULE.config)),
    (ModuleRetired(reason="Nobody uses it."),),
    tuple(
        ToolCreated(spec=spec)
        for spec in (
            TOOLS[0].model_copy(update={"arguments": SPEC.inputs}),
            TOOLS[0].model_copy(update={"arguments": _EVERY_TYPE}),
            *TOOLS,
        )
    ),
    (ToolRetired(reason="Nobody uses it."),),
    (
        ApiKeyIssued(
            name="ann",
            roles=(Role.ADMIN, Role.ML_USER),
            digest=digest_of("key"),
            expires_at=AT + timedelta(days=90),
        ),
        ApiKeyIssued(name="b", roles=(Role.VIEWER,), digest=digest_of("key"), expires_at=AT),
    ),
    (ApiKeyRevoked(reason="It was in a screenshot."),),
    (
        ProgramCreated(
            name="triage",
            description="Sorts messages into queues.",
            config={"owner": "support", "limits": [1, 0.5, None, False, {"x": "y"}]},
            graph=GRAPH,
            default_optimizer="bootstrap_fewshot",
            pins=_PINS,
        ),
        ProgramCreated(
            name="bare", description=None, config={}, graph=BARE_GRAPH, default_optimizer=None
        ),
        ProgramCreated(
            name="rich", description=None, config={}, graph=RICH_GRAPH, default_optimizer=None
        ),
    ),
    (ProgramTestingStarted(),),
    tuple(
        ProgramCompiled(
            new_version=2,
            base_version=1,
            optimization_id=an_id("optimization"),
            optimizer="bootstrap_fewshot",
            state=ref("state"),
            training_score=score,
            pins=pins,
        )
        for score, pins in ((0.875, _PINS), (None, Pins()))
    ),
    (ProgramRenamed(name="sorting", former_name="triage"),),
    (ProgramDescribed(description="Sorts."), ProgramDescribed(description=None)),
    (
        ProgramConfigured(config={"owner": ["support", 1, None]}, default_optimizer="copro"),
        ProgramConfigured(config={}, default_optimizer=None),
    ),
    tuple(
        ProgramRevised(
            new_version=3, base_version=2, graph=graph, pins=_PINS, reason="It needs another step."
        )
        for graph in (GRAPH, BARE_GRAPH, RICH_GRAPH)
    ),
    tuple(
        ProgramVersionEdited(
            new_version=4,
            base_version=2,
            predictors=("classify.predict",),
            edits=edits,
            pins=_PINS,
            reason="It was too polite.",
        )
        for edits in (ref("edits"), None)
    ),
    (ProgramVersionRestored(new_version=5, restored_version=2, reason="It was better."),),
    (
        ProgramVersionImported(
            new_version=2,
            base_version=1,
            origin=Origin.COMPILED,
            state=ref("state"),
            edits=ref("edits"),
            pins=_PINS,
            optimizer="copro",
            training_score=0.5,
            reason="It was too polite.",
        ),
        ProgramVersionImported(
            new_version=2,
            base_version=1,
            origin=Origin.EDITED,
            state=None,
            edits=None,
            pins=Pins(),
            optimizer=None,
            training_score=None,
            reason=None,
        ),
    ),
    (ProgramArchived(reason="Nobody uses it now."),),
    (ProgramRestored(),),
    (
        ProgramDeployed(
            program_version=2, previous_version=1, reason="It scores more.", evidence=(_EVIDENCE,)
        ),
        ProgramDeployed(program_version=1, previous_version=None, reason="First.", evidence=()),
    ),
    (ProgramRetired(reason="Nobody uses it."),),
    (
        DatasetCreated(name="tickets", purpose=Purpose.TRAINING, description="Ours."),
        DatasetCreated(name="bare", purpose=Purpose.CUSTOM, description=None),
    ),
    (
        DatasetRowsLoaded(
            split=Split.HELDOUT, chunks=(_CHUNK, _CHUNK), count=20, fields=("message", "queue")
        ),
    ),
    (
        DatasetRowReplaced(
            row="2-15", split=Split.HELDOUT, content=ref("row"), reason="It was mislabelled."
        ),
    ),
    (DatasetRowRemoved(row="2-16", split=Split.TRAIN, reason="It is held out, too."),),
)
_RUNS: Sequence[Sequence[Event]] = (
    (
        ExecutionRequested(
            program_id=_PROGRAM,
            program_version=2,
            inputs=ref("inputs"),
            caller=_CALLER,
            deadline=AT,
            caches=tuple(Cache),
            model="mine/gpt-4",
            varies=an_id("execution"),
        ),
        ExecutionRequested(program_id=_PROGRAM, program_version=2, inputs=ref("inputs")),
    ),
    (
        ExecutionStarted(attempt=2, worker="host:17", reading=Reading(repair=True, feedback=1)),
        ExecutionStarted(attempt=1, worker="host:17"),
    ),
    (ExecutionWarned(code="state.other_dspy", message="It was learned elsewhere."),),
    (ExecutionLmCalled(call=_CALL), ExecutionLmCalled(call=_FAILED_CALL)),
    (ExecutionToolCalled(call=_TOOL_CALL), ExecutionToolCalled(call=_BARE_TOOL_CALL)),
    (
        ExecutionCompleted(
            outputs=ref("outputs"),
            duration_ms=400.5,
            spend=_SPEND,
            caller=_CALLER,
            filled_by=an_id("equal execution"),
        ),
        ExecutionCompleted(outputs=ref("outputs"), duration_ms=0, spend=_UNKNOWN_SPEND),
    ),
    (
        ExecutionFailed(failure=_FAILURE, duration_ms=90.5, spend=_SPEND, caller=_CALLER),
        ExecutionFailed(failure=_BARE_FAILURE, duration_ms=None, spend=_UNKNOWN_SPEND),
    ),
    (
        ExecutionCancelled(reason="No longer needed.", caller=_CALLER),
        ExecutionCancelled(reason="No longer needed."),
    ),
    (ReplayRequested(replay=1),),
    (ReplayVerified(replay=1, answered_from_log=2, duration_ms=3.5),),
    (
        ReplayDiverged(
            replay=1,
            answered_from_log=1,
            duration_ms=3.5,
            failure=_FAILURE,
            outputs=ref("other outputs"),
            divergence=Divergence(
                node="answer", asked=ref("other prompt"), call=2, recorded=ref("prompt")
            ),
        ),
        ReplayDiverged(
            replay=1, answered_from_log=0, duration_ms=0, failure=_BARE_FAILURE, outputs=None
        ),
        ReplayDiverged(
            replay=1,
            answered_from_log=0,
            duration_ms=0,
            failure=_BARE_FAILURE,
            outputs=None,
            divergence=Divergence(node="answer", asked=ref("other prompt")),
        ),
    ),
    (
        OptimizationRequested(
            program_id=_PROGRAM,
            program_version=1,
            optimizer="mipro",
            config={"num_trials": 10, "teacher": {"temperature": 0.5}},
            dataset_id=_DATASET,
            dataset_rows=20,
            metric="exact_match",
            seed=9,
            dataset_version=3,
            adopt=Adoption.APPROVAL,
        ),
        OptimizationRequested(
            program_id=_PROGRAM,
            program_version=1,
            optimizer="copro",
            config={},
            dataset_id=_DATASET,
            dataset_rows=20,
            metric="exact_match",
            seed=9,
            dataset_version=None,
        ),
    ),
    (OptimizationStarted(attempt=1, worker="host:17", pins={"dspy": "3.4.1"}),),
    (OptimizationLmCalled(call=_CALL), OptimizationLmCalled(call=_FAILED_CALL)),
    (OptimizationToolCalled(call=_TOOL_CALL), OptimizationToolCalled(call=_BARE_TOOL_CALL)),
    (TrialScored(trial=1, score=0.5, candidate=ref("candidate")),),
    tuple(
        OptimizationCompleted(
            state=ref("state"),
            training_score=score,
            trials=10,
            duration_ms=61_000.5,
            spend=spend,
            heldout=heldout,
        )
        for score, spend, heldout in (
            (0.75, _SPEND, HeldOut(rows=30, baseline=0.5, score=0.7)),
            (None, _UNKNOWN_SPEND, None),
        )
    ),
    (OptimizationFailed(failure=_FAILURE, spend=_SPEND),),
    (OptimizationCancelled(reason="No longer needed."),),
    (OptimizationApproved(reason="It is better on what it has not seen."),),
    (OptimizationRejected(reason="It is worse where it matters."),),
    (
        EvaluationRequested(
            program_id=_PROGRAM,
            program_version=2,
            dataset_id=_DATASET,
            split=Split.HELDOUT,
            dataset_rows=30,
            metric="exact_match",
            dataset_version=3,
        ),
        EvaluationRequested(
            program_id=_PROGRAM,
            program_version=2,
            dataset_id=_DATASET,
            split=Split.TRAIN,
            dataset_rows=30,
            metric="exact_match",
            dataset_version=None,
        ),
    ),
    (EvaluationStarted(attempt=1, worker="host:17"),),
    (EvaluationLmCalled(call=_CALL), EvaluationLmCalled(call=_FAILED_CALL)),
    (EvaluationToolCalled(call=_TOOL_CALL), EvaluationToolCalled(call=_BARE_TOOL_CALL)),
    (
        EvaluationCompleted(
            score=0.6,
            rows=ref("scored rows"),
            rows_total=30,
            rows_failed=1,
            duration_ms=12_000.5,
            spend=_SPEND,
        ),
    ),
    (EvaluationFailed(failure=_FAILURE, spend=_SPEND),),
    (EvaluationCancelled(reason="No longer needed."),),
)

_PROMISE: Final = ModulePromise(
    import_path="acme_rag.rag:MyRAG",
    arguments={"k": 3, "names": ["a", None, 0.5]},
    signature=SPEC,
    wraps_result=True,
    inputs={"message": "It crashes"},
)
_FINDINGS: Final = Findings(
    source_sha256=digest_of("source"),
    package="acme_rag",
    distribution="acme-rag",
    distribution_version="1.2.3",
    libraries={"dspy": "3.4.1"},
    predictors=(
        PredictorFound(
            path="rag.generate", inputs=("message",), outputs=("queue",), instructions="Answer."
        ),
    ),
    calls=2,
    repeatable=True,
)
_PROBES: Final[Sequence[Sequence[Event]]] = (
    (
        ProbeRequested(promise=_PROMISE),
        ProbeRequested(promise=ModulePromise(import_path="a:B", signature=BARE_SPEC)),
        ProbeRequested(promise=ModulePromise(import_path="a:B", signature=RICH_SPEC)),
    ),
    (
        ProbeAccepted(findings=_FINDINGS),
        ProbeAccepted(
            findings=_FINDINGS.model_copy(
                update={"distribution": None, "distribution_version": None, "predictors": ()}
            )
        ),
    ),
    (ProbeRefused(failure=_FAILURE),),
)

_PARKED: Final = {
    "projection": "program_catalog",
    "version": 2,
    "position": 1729,
    "topic": "program.retired",
    "stream_id": an_id("program"),
}
_PARKINGS: Final[Sequence[Sequence[Event]]] = (
    (EventParked.model_validate({**_PARKED, "error": "DivisionByZero", "attempts": 3}),),
    (ParkedEventReplayed.model_validate(_PARKED),),
)

_QUEUES: Final[Sequence[Sequence[Event]]] = (
    (QueuePaused(queue="ml_inference", reason="The provider is down."),),
    (QueueResumed(queue="ml_inference"),),
    (JobRetried(queue="ml_inference", job_id=an_id("job"), command="RunExecution"),),
)

_OUTWARD: Final = (*BATCHES, *BUDGETS, *PROVIDERS, *ROUTES)
_UPKEEP: Final = (*_PARKINGS, *_QUEUES, PURGES)

EXAMPLES: Final[Mapping[str, Sequence[Event]]] = {
    examples[0].TOPIC: examples
    for examples in (*_THINGS, *_RUNS, *_OUTWARD, *PRICES, *RECORDS, *WORKFLOWS, *_PROBES, *_UPKEEP)
}
