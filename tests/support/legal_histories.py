"""Hypothesis strategies of legal histories: every stream as its aggregate could have made it."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from hypothesis import strategies as st

from domain.access.events import ApiKeyRevoked
from domain.dataset.values import Split
from domain.evaluation.events import (
    EvaluationCancelled,
    EvaluationFailed,
    EvaluationLmCalled,
    EvaluationStarted,
    EvaluationToolCalled,
)
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionLmCalled,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.kernel import Event
from domain.module.events import ModuleRetired
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationCancelled,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRejected,
    OptimizationToolCalled,
)
from domain.optimization.values import Adoption, HeldOut
from domain.price.values import Rates
from domain.program.events import ProgramRetired, ProgramTestingStarted
from domain.signature.events import SignatureRetired
from domain.tool.events import ToolCreated, ToolRetired
from domain.values import Failure, LmCall, LmUsage, ToolCall
from tests.support import histories as build
from tests.support.access import a_key
from tests.support.budgets import HELD, SETTLED
from tests.support.caches import PURGES
from tests.support.histories import Log, an_id, ref, spend_of
from tests.support.prices import price_set, price_withdrawn
from tests.support.probes import a_probe
from tests.support.providers import a_default, a_provider
from tests.support.records import a_binding, a_record
from tests.support.routes import ROUTED, a_route
from tests.support.workflows import (
    a_run_completed,
    a_run_undone,
    a_run_with_all,
    a_webhook,
    a_workflow,
)

T = TypeVar("T")
Stream = list[Event]

A_TOOL: Stream = [ToolCreated(spec=build.TOOL)]
A_KEY: Stream = [a_key()]
PROGRAMS = ("program", "another program")
TEXTS = st.text(max_size=40) | st.just("“quoted”\n\x00 %(tenant)s %s {0}")
SCORES = st.floats(0, 1)
_COUNTS = st.none() | st.integers(0, 5_000)
_USAGES = st.builds(
    LmUsage,
    prompt_tokens=_COUNTS,
    completion_tokens=_COUNTS,
    cached_tokens=_COUNTS,
    reasoning_tokens=_COUNTS,
    total_tokens=_COUNTS,
)
_COSTS = st.none() | st.decimals(0, 2, places=9) | st.just(Decimal("1E-12"))
_USD = st.decimals(0, 100, places=9)
RATES = st.builds(
    Rates,
    input_usd=_USD,
    cached_input_usd=st.none() | _USD,
    output_usd=_USD,
    reasoning_usd=st.none() | _USD,
)
FAILURES = st.builds(Failure, code=st.just("program.failed"), message=TEXTS)


@st.composite
def calls(draw: st.DrawFn) -> LmCall:
    return build.lm_call(
        f"prompt {draw(st.integers(0, 10**9))}",
        node=draw(st.sampled_from(("classify", "explain"))),
        role=draw(st.sampled_from(("task", "optimizer"))),
        model=draw(st.sampled_from((build.MODEL, "local:smollm2"))),
        usage=draw(_USAGES),
        cost_usd=draw(_COSTS),
        latency_ms=draw(st.floats(0, 10_000)),
        failure=draw(st.none() | FAILURES),
    )


@st.composite
def uses(draw: st.DrawFn) -> ToolCall:
    return ToolCall(
        key=build.digest_of(f"use {draw(st.integers(0, 10**9))}"),
        kind=draw(st.sampled_from(("tool", "retrieval", "code"))),
        node=draw(st.sampled_from(("classify", "explain"))),
        tool=draw(TEXTS),
        arguments=ref("arguments"),
        result=ref("result"),
        latency_ms=draw(st.floats(0, 10_000)),
        failure=draw(st.none() | FAILURES),
    )


@st.composite
def signatures(draw: st.DrawFn) -> Stream:
    revised = range(2, 2 + draw(st.integers(0, 2)))
    stream: Stream = [build.signature_defined(draw(TEXTS)), *map(build.signature_revised, revised)]
    return stream + draw(_maybe(st.builds(SignatureRetired, reason=TEXTS)))


@st.composite
def modules(draw: st.DrawFn) -> Stream:
    settings = [build.module_configured()] * draw(st.integers(0, 2))
    stream: Stream = [build.module_created(draw(TEXTS)), *settings]
    return stream + draw(_maybe(st.builds(ModuleRetired, reason=TEXTS)))


@st.composite
def programs(draw: st.DrawFn) -> Stream:
    latest = 1 + draw(st.integers(0, 3))
    stream: Stream = [build.program_created(draw(TEXTS)), ProgramTestingStarted()]
    for version in range(2, latest + 1):
        score = draw(st.none() | SCORES)
        stream.append(build.program_compiled(version, base_version=1, training_score=score))
    if draw(st.booleans()):
        stream += build.later_versions(latest + 1)
        latest += 4
    changes = draw(st.lists(st.sampled_from(build.program_changes()[:3]), max_size=3))
    stream += [*changes, *draw(st.sampled_from(((), build.program_changes()[3:])))]
    live: int | None = None
    for version in draw(st.lists(st.integers(1, latest), max_size=3)):
        reason = draw(TEXTS)
        on = tuple(build.evidence(version, score) for score in draw(st.lists(SCORES, max_size=2)))
        stream.append(build.program_deployed(version, previous_version=live, reason=reason, on=on))
        live = version
    return stream + draw(_maybe(st.builds(ProgramRetired, reason=TEXTS)))


@st.composite
def datasets(draw: st.DrawFn) -> Stream:
    loads = draw(st.lists(st.tuples(st.integers(1, 500), st.sampled_from(Split)), max_size=4))
    loaded = [build.rows_loaded(count, split=split) for count, split in loads]
    changed: Stream = []
    for version, (_, split) in enumerate(loads, 2):
        if draw(st.booleans()):
            changed += [build.row_replaced(f"{version}-1", split=split)]
        if draw(st.booleans()):
            changed += [build.row_removed(f"{version}-1", split=split)]
    return [build.dataset_created(draw(TEXTS)), *loaded, *changed]


@st.composite
def executions(draw: st.DrawFn) -> Stream:
    made = draw(st.lists(calls(), max_size=4))
    stream: Stream = [build.execution_requested(draw(st.sampled_from(PROGRAMS)))]
    is_paid = draw(st.booleans())
    held: Stream = [HELD] if is_paid else []
    settled: Stream = [SETTLED] if is_paid else []
    used: Stream = [ExecutionToolCalled(call=call) for call in draw(st.lists(uses(), max_size=2))]
    called: Stream = [ExecutionLmCalled(call=call) for call in made]
    routed: Stream = [ROUTED] if draw(st.booleans()) else []
    warned = draw(
        _maybe(st.builds(ExecutionWarned, code=st.just("state.other_dspy"), message=TEXTS))
    )
    stream += draw(_attempts(draw(interleaved([routed, used, called, warned]))))
    if len(stream) == 1:  # it never started, so it can only be cancelled
        end = draw(_maybe(st.builds(ExecutionCancelled, reason=TEXTS)))
        return stream + held + (settled + end if end else [])
    stream[1:1] = held
    failed = build.execution_failed(*made, failure=draw(FAILURES))
    completed = build.execution_completed(*made)
    filled = completed.model_copy(update={"filled_by": build.an_id("an equal execution")})
    ends = (completed, filled, failed)
    end = draw(_maybe(st.sampled_from(ends) | st.builds(ExecutionCancelled, reason=TEXTS)))
    if not end:
        return stream
    return stream + settled + end + (draw(_replays()) if end[0] in ends else [])


@st.composite
def prices(draw: st.DrawFn) -> Stream:
    """Prices of one model, before and after the calls of a log, some for the same moment."""
    model = draw(st.sampled_from((build.MODEL, "local:smollm2")))
    moments = st.integers(-1, 9).map(lambda seconds: build.NOW + timedelta(seconds=seconds))
    changes = st.builds(price_set, RATES, model=st.just(model), valid_from=moments) | st.builds(
        price_withdrawn, model=st.just(model), valid_from=moments
    )
    first: Stream = [price_set(draw(RATES), model=model, valid_from=draw(moments))]
    return first + draw(st.lists(changes, max_size=4))


@st.composite
def _replays(draw: st.DrawFn) -> Stream:
    stream: Stream = []
    for replay in range(1, 1 + draw(st.integers(0, 2))):
        stream.append(ReplayRequested(replay=replay))
        verified = ReplayVerified(replay=replay, answered_from_log=2, duration_ms=3.0)
        diverged = ReplayDiverged(
            replay=replay,
            answered_from_log=1,
            duration_ms=3.0,
            failure=draw(FAILURES),
            outputs=draw(st.none() | st.just(ref("other outputs"))),
        )
        stream += draw(_maybe(st.sampled_from((verified, diverged))))
    return stream


@st.composite
def optimizations(draw: st.DrawFn) -> Stream:
    made = draw(st.lists(calls(), max_size=4))
    scores = draw(st.lists(SCORES, max_size=3))
    trials: Stream = [build.trial_scored(number, score) for number, score in enumerate(scores, 1)]
    called: Stream = [OptimizationLmCalled(call=call) for call in made]
    used: Stream = [
        OptimizationToolCalled(call=call) for call in draw(st.lists(uses(), max_size=2))
    ]
    work = draw(interleaved([called, used, trials]))
    adopt = draw(st.sampled_from(Adoption))
    asked = build.optimization_requested(draw(st.sampled_from(PROGRAMS)), adopt=adopt)
    stream: Stream = [asked, build.optimization_started()]
    ends = (
        OptimizationFailed(failure=draw(FAILURES), spend=spend_of(made)),
        OptimizationCancelled(reason=draw(TEXTS)),
    )
    if draw(st.booleans()):
        return stream + work + draw(_maybe(st.sampled_from(ends)))
    judged = HeldOut(rows=9, baseline=draw(SCORES), score=draw(SCORES))
    shown = adopt is Adoption.APPROVAL and draw(st.booleans())
    found = build.optimization_completed(
        *made, trials=len(trials), heldout=judged if shown else None
    )
    decisions = (OptimizationApproved(reason=draw(TEXTS)), OptimizationRejected(reason=draw(TEXTS)))
    waits = adopt is Adoption.APPROVAL
    decided = draw(_maybe(st.sampled_from(decisions))) if waits else []
    return [*stream, *work, found, *decided]


@st.composite
def evaluations(draw: st.DrawFn) -> Stream:
    made = draw(st.lists(calls(), max_size=4))
    stream: Stream = [build.evaluation_requested(draw(st.sampled_from(PROGRAMS)))]
    stream.append(EvaluationStarted(attempt=1, worker="worker-1"))
    ends = (
        build.evaluation_completed(*made, score=draw(SCORES)),
        EvaluationFailed(failure=draw(FAILURES), spend=spend_of(made)),
        EvaluationCancelled(reason=draw(TEXTS)),
    )
    used: Stream = [EvaluationToolCalled(call=call) for call in draw(st.lists(uses(), max_size=2))]
    stream += draw(interleaved([[EvaluationLmCalled(call=call) for call in made], used]))
    return stream + draw(_maybe(st.sampled_from(ends)))


STREAMS = (
    signatures()
    | modules()
    | programs()
    | datasets()
    | executions()
    | optimizations()
    | evaluations()
    | prices()
    | st.sampled_from((a_probe(), a_probe(refused=True))).map(list)
    | st.sampled_from((a_workflow(), a_webhook(), a_provider(), a_default(), a_route())).map(list)
    | st.sampled_from((a_run_undone(), a_run_with_all(), a_run_completed())).map(list)
    | st.integers(1, 7).map(lambda length: [*a_record()[:length]])
    | st.integers(1, 5).map(lambda length: [*a_binding()[:length]])
    | st.sampled_from(PURGES).map(lambda purge: [purge])
    | st.sampled_from((A_TOOL, [*A_TOOL, ToolRetired(reason="Old.")])).map(list)
    | st.sampled_from((A_KEY, [*A_KEY, ApiKeyRevoked(reason="Lost.")])).map(list)
)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log of a few streams, interleaved; what concerns a program names one of ``PROGRAMS``."""
    streams = draw(st.lists(STREAMS, min_size=1, max_size=6))
    named = [[(_id(number, each), event) for event in each] for number, each in enumerate(streams)]
    log = Log()
    for stream_id, event in draw(interleaved(named)):
        log.append(stream_id, event, actor=draw(st.sampled_from(("alice", "bob", "worker-1"))))
    return log


@st.composite
def interleaved(draw: st.DrawFn, streams: Sequence[Sequence[T]]) -> list[T]:
    """All of *streams* as one sequence that keeps the order within each."""
    turns = [number for number, stream in enumerate(streams) for _ in stream]
    waiting = [iter(stream) for stream in streams]
    return [next(waiting[number]) for number in draw(st.permutations(turns))]


def _id(number: int, stream: Sequence[Event]) -> UUID:
    return an_id(f"{stream[0].TOPIC} {number}")


@st.composite
def _attempts(draw: st.DrawFn, work: Stream) -> Stream:
    """*work* over up to three attempts, or nothing where none began."""
    stream: Stream = []
    for attempt in range(1, 1 + draw(st.integers(0, 3))):
        stream.append(ExecutionStarted(attempt=attempt, worker=f"worker-{attempt}"))
        done = draw(st.integers(0, len(work)))
        stream += work[:done]
        work = work[done:]
    return stream + work if stream else []


def _maybe(event: st.SearchStrategy[Event]) -> st.SearchStrategy[Stream]:
    return st.lists(event, max_size=1)
