"""What each event of an execution, optimization or evaluation says in plain English."""

from typing import assert_never
from uuid import UUID

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
    ExecutionCreditHeld,
    ExecutionCreditSettled,
    ExecutionEvent,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionRouted,
    ExecutionStarted,
    ExecutionToolCalled,
    ExecutionWarned,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationCancelled,
    OptimizationCompleted,
    OptimizationEvent,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRejected,
    OptimizationRequested,
    OptimizationStarted,
    OptimizationToolCalled,
    TrialScored,
)
from domain.routing import Routing
from domain.values import LmCall, LmSpend, ToolCall
from projections.words import Words, cause_of, many, plain, quoted, score_of, time_of


def execution(id: UUID, event: ExecutionEvent) -> Words:
    match event:
        case ExecutionRequested(program_id=program_id, program_version=version):
            return (f"asked to run version {version} of program ", program_id, f" as run {id}")
        case ExecutionStarted(attempt=attempt, worker=worker):
            return (f"began attempt {attempt} of run {id} on worker {plain(worker)}",)
        case ExecutionRouted(routing=routing):
            return (_routed(id, routing),)
        case ExecutionWarned(message=message):
            return (f"warned of run {id}: {plain(message.rstrip('.'))}",)
        case ExecutionCreditHeld() | ExecutionCreditSettled():
            return (_money(id, event),)
        case ExecutionLmCalled(call=call):
            return (_called(call, f"run {id}"),)
        case ExecutionToolCalled(call=call):
            return (_used(call, f"run {id}"),)
        case ExecutionCompleted() | ExecutionFailed() | ExecutionCancelled():
            return (_ended(id, event),)
        case ReplayRequested() | ReplayVerified() | ReplayDiverged():
            return _replay(id, event)
        case _:
            assert_never(event)


def _ended(id: UUID, event: ExecutionCompleted | ExecutionFailed | ExecutionCancelled) -> str:
    match event:
        case ExecutionCompleted(filled_by=UUID() as equal):
            return f"completed run {id} from the cache, with what run {equal} came to"
        case ExecutionCompleted(duration_ms=duration_ms, spend=spend):
            return f"completed run {id} in {time_of(duration_ms)} with {_spent(spend)}"
        case ExecutionFailed(failure=failure, spend=spend):
            return f"gave up run {id} after {_spent(spend)} because {cause_of(failure)}"
        case ExecutionCancelled(reason=reason):
            return f"cancelled run {id} because {quoted(reason)}"
        case _:
            assert_never(event)


def _routed(id: UUID, routing: Routing) -> str:
    model, why = plain(routing.choice.model), plain(routing.choice.reason.rstrip("."))
    return f"had model {model} of route {plain(routing.route)} answer run {id}: {why}"


def _money(id: UUID, event: ExecutionCreditHeld | ExecutionCreditSettled) -> str:
    match event:
        case ExecutionCreditHeld(holds=holds):
            return f"set money of {many(len(holds), 'budget')} aside for run {id}"
        case ExecutionCreditSettled(charges=charges, cost_usd=cost_usd):
            cost = "an unknown cost" if cost_usd is None else f"a cost of {cost_usd:f} USD"
            return f"settled run {id} at {cost} with {many(len(charges), 'budget')}"
        case _:
            assert_never(event)


def _replay(id: UUID, event: ReplayRequested | ReplayVerified | ReplayDiverged) -> Words:
    match event:
        case ReplayRequested(replay=replay):
            return (f"asked for replay {replay} of run {id}",)
        case ReplayVerified(replay=replay, answered_from_log=answered):
            how = f"with equal outputs, {many(answered, 'call')} from the log and none made"
            return (f"verified replay {replay} of run {id} {how}",)
        case ReplayDiverged(replay=replay, failure=failure):
            return (f"found that replay {replay} of run {id} diverges because {cause_of(failure)}",)
        case _:
            assert_never(event)


def optimization(id: UUID, event: OptimizationEvent) -> Words:
    match event:
        case OptimizationRequested() as asked:
            what = f"asked {plain(asked.optimizer)} to optimize version {asked.program_version}"
            learn = f" for {plain(asked.metric)} on {many(asked.dataset_rows, 'row')} of dataset "
            as_ = f" as optimization {id}"
            return (what + " of program ", asked.program_id, learn, asked.dataset_id, as_)
        case OptimizationStarted(attempt=attempt, worker=worker):
            return (f"began attempt {attempt} of optimization {id} on worker {plain(worker)}",)
        case OptimizationLmCalled(call=call):
            return (_called(call, f"optimization {id}"),)
        case OptimizationToolCalled(call=call):
            return (_used(call, f"optimization {id}"),)
        case TrialScored(trial=trial, score=score):
            return (f"scored trial {trial} of optimization {id} at {score_of(score)}",)
        case OptimizationCompleted():
            return (_found(id, event),)
        case OptimizationFailed(failure=failure, spend=spend):
            return (f"gave up optimization {id} after {_spent(spend)} because {cause_of(failure)}",)
        case OptimizationCancelled() | OptimizationApproved() | OptimizationRejected():
            return (_decided(id, event),)
        case _:
            assert_never(event)


def _found(id: UUID, done: OptimizationCompleted) -> str:
    what = f"completed optimization {id} with a training score of {score_of(done.training_score)}"
    if (heldout := done.heldout) is not None:
        rows = many(heldout.rows, "held-out row")
        what += f" and {score_of(heldout.score)} on {rows}, where its base has "
        what += score_of(heldout.baseline)
    spent = f"{time_of(done.duration_ms)} and {_spent(done.spend)}"
    return f"{what} after {many(done.trials, 'trial')}, {spent}"


def _decided(
    id: UUID, event: OptimizationCancelled | OptimizationApproved | OptimizationRejected
) -> str:
    match event:
        case OptimizationCancelled(reason=reason):
            return f"cancelled optimization {id} because {quoted(reason)}"
        case OptimizationApproved(reason=reason):
            return f"approved what optimization {id} found because {quoted(reason)}"
        case OptimizationRejected(reason=reason):
            return f"rejected what optimization {id} found because {quoted(reason)}"


def evaluation(id: UUID, event: EvaluationEvent) -> Words:
    match event:
        case EvaluationRequested() as asked:
            what = f"asked to score version {asked.program_version} of program "
            rows = f" by {plain(asked.metric)} on {many(asked.dataset_rows, 'row')}"
            part = f"{rows} of the {asked.split.value} part of dataset "
            return (what, asked.program_id, part, asked.dataset_id, f" as evaluation {id}")
        case EvaluationStarted(attempt=attempt, worker=worker):
            return (f"began attempt {attempt} of evaluation {id} on worker {plain(worker)}",)
        case EvaluationLmCalled(call=call):
            return (_called(call, f"evaluation {id}"),)
        case EvaluationToolCalled(call=call):
            return (_used(call, f"evaluation {id}"),)
        case EvaluationCompleted(score=score, rows_total=total, rows_failed=failed, spend=spend):
            rows = f"over {many(total, 'row')}, {failed} of them failed"
            return (f"completed evaluation {id} at {score_of(score)} {rows}, with {_spent(spend)}",)
        case EvaluationFailed(failure=failure, spend=spend):
            return (f"gave up evaluation {id} after {_spent(spend)} because {cause_of(failure)}",)
        case EvaluationCancelled(reason=reason):
            return (f"cancelled evaluation {id} because {quoted(reason)}",)
        case _:
            assert_never(event)


def _called(call: LmCall, run: str) -> str:
    tokens = call.usage.total_tokens
    counted = "an unknown number of tokens" if tokens is None else many(tokens, "token")
    cost = "unknown cost" if call.cost_usd is None else f"${call.cost_usd:f}"
    if call.filled_by is not None:
        whose = f"{call.filled_by.kind} {call.filled_by.id}"
        asked = f"a call of {plain(call.model)} for predictor {plain(call.node)} in {run}"
        return f"answered {asked} from the cache, as {whose} was answered"
    text = f"called model {plain(call.model)} for predictor {plain(call.node)} in {run}"
    text += f" with {counted}, {cost} and {time_of(call.latency_ms)}"
    return text if call.failure is None else text + f" and got no answer: {cause_of(call.failure)}"


def _used(call: ToolCall, run: str) -> str:
    what = {"tool": "tool", "retrieval": "retriever", "code": "interpreter"}[call.kind]
    text = f"called {what} {plain(call.tool)} for {plain(call.node)} in {run}"
    text += f" in {time_of(call.latency_ms)}"
    return text if call.failure is None else text + f" and was told: {cause_of(call.failure)}"


def _spent(spend: LmSpend) -> str:
    cost = "at unknown cost" if spend.cost_usd is None else f"at ${spend.cost_usd:f}"
    return f"{many(spend.calls, 'model call')} {cost}"
