"""An execution as its own stream tells it: read from the log, so it is never behind a write."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from application.differences import difference
from application.ports import PayloadStore
from domain.execution.aggregate import Execution
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionEvent,
    ExecutionFailed,
    ExecutionStarted,
    ReplayDiverged,
    ReplayRequested,
    ReplayVerified,
)
from domain.execution.values import Caller, ExecutionAction
from domain.kernel import Recorded
from domain.routing import Routing
from domain.run import RunStatus
from domain.values import Failure, PayloadRef
from infrastructure.api.call_views import model_calls, text_of, tool_calls
from infrastructure.api.runs import spent
from projections.runs import Spend

_FOR_CALLERS: Final = frozenset({ExecutionAction.CANCEL, ExecutionAction.REQUEST_REPLAY})
"""The other actions are for workers."""


class DivergenceView(BaseModel):
    """The call at which a replay left its log."""

    node: str = Field(description="Where in the program it was made.")
    call: int | None = Field(
        description="The number in the trace of the call that was made there when it was recorded;"
        " null if the node made no more."
    )


class ReplayView(BaseModel):
    """One repetition of an execution from the log alone: no model was called for it."""

    execution_id: UUID
    replay: int = Field(description="Its number, from 1.")
    outcome: Literal["pending", "verified", "diverged"] = Field(
        description="verified: the same end. diverged: the failure says where it differs."
    )
    position: int = Field(description="Where in the log its latest event lies.")
    requested_at: datetime
    requested_by: str
    finished_at: datetime | None = None
    duration_ms: float | None = None
    answered_from_log: int | None = Field(
        default=None, description="Calls of models and tools that the log answered."
    )
    outputs: JsonValue = Field(default=None, description="What it gave; null if it failed.")
    failure: Failure | None = None
    diverged_at: DivergenceView | None = Field(
        default=None, description="The call that is not in the log, if it asked for one."
    )
    difference: str | None = Field(
        default=None,
        description="What it asked, or answered, in place of what is on record, line by line with"
        " + and -; null where that is not known, or erased.",
    )

    @property
    def ended(self) -> bool:
        """Whether the replay has its verdict."""
        return self.outcome != "pending"


class WarningView(BaseModel):
    """Something that may have made an answer another one than expected."""

    code: str
    message: str


class ExecutionView(BaseModel):
    """One run of a program version."""

    execution_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log the latest lies: ask with it at_least.")
    program_id: UUID
    program_version: int
    status: RunStatus
    outputs: JsonValue = Field(default=None, description="By output field; null until completed.")
    model: str | None = Field(
        description="What answers: `provider/model`, or `route:NAME` until one is chosen; null is"
        " the model of the workers."
    )
    routing: Routing | None = Field(
        default=None, description="By what the model was chosen, if it named a route, and why."
    )
    filled_by: UUID | None = Field(
        default=None, description="The equal execution whose outputs the cache gave, if it did."
    )
    varies: UUID | None = Field(
        default=None, description="The execution that it ran another way, if it did."
    )
    failure: Failure | None
    cancelled_because: str | None = None
    warnings: tuple[WarningView, ...] = Field(
        description="What may have made its answer another one; it went on all the same."
    )
    token_usage: Spend = Field(description="The sum over its model calls so far.")
    tool_calls: int = Field(description="Calls of tools, retrievers and interpreters so far.")
    duration_ms: float | None = Field(
        default=None, description="As the worker measured it, waiting left out."
    )
    attempts: int = Field(description="How often a worker took it: more than 1 after a kill.")
    actor: str = Field(description="Who requested it.")
    correlation_id: UUID
    requested_at: datetime
    deadline: datetime | None = Field(
        default=None, description="It has ended by then; null if it may take what it takes."
    )
    updated_at: datetime = Field(description="When the last event of its own happened.")
    started_at: datetime | None = None
    finished_at: datetime | None = None
    allowed_actions: tuple[str, ...] = Field(description="What its state permits a caller.")
    replays: tuple[ReplayView, ...]

    @property
    def ended(self) -> bool:
        """Whether the run stays as it is."""
        return self.status.is_terminal


class ExecutionDetail(ExecutionView):
    """One run of a program version, with what it was asked."""

    inputs: JsonValue
    caller: Caller | None = Field(
        default=None, description="What waits for its end, such as a record that called for it."
    )


def execution_view(history: Sequence[Recorded], payloads: PayloadStore) -> ExecutionView:
    """The execution that *history* tells. Reads what it answered."""
    return ExecutionView.model_validate(_told(history, payloads))


def execution_detail(history: Sequence[Recorded], payloads: PayloadStore) -> ExecutionDetail:
    """The execution that *history* tells. Reads what it was asked and what it answered."""
    told = _told(history, payloads)
    execution = _execution(history)
    replays = [_with_texts(each, history, payloads) for each in _replays(history)]
    asked = {"inputs": text_of(execution.inputs, payloads), "caller": execution.caller}
    return ExecutionDetail.model_validate(told | asked | {"replays": replays})


def replay_view(history: Sequence[Recorded], replay: int, payloads: PayloadStore) -> ReplayView:
    """Replay number *replay* of the execution that *history* tells, with what it gave."""
    return _with_texts(_replays(history)[replay - 1], history, payloads)


def _with_texts(
    view: ReplayView, history: Sequence[Recorded], payloads: PayloadStore
) -> ReplayView:
    verdict = next((each for each in _verdicts(history) if each.replay == view.replay), None)
    before = _execution(history).outputs
    if not isinstance(verdict, ReplayDiverged):
        same = text_of(before, payloads) if verdict else None
        return view.model_copy(update={"outputs": same})
    at, outputs = verdict.divergence, text_of(verdict.outputs, payloads)
    told = (
        _difference(at.recorded, at.asked, payloads)
        if at
        else _difference(before, verdict.outputs, payloads)
    )
    return view.model_copy(update={"outputs": outputs, "difference": told})


def _difference(
    before: PayloadRef | None, after: PayloadRef | None, payloads: PayloadStore
) -> str | None:
    was, now = text_of(before, payloads), text_of(after, payloads)
    return None if was is None or now is None else difference(was, now) or None


def _verdicts(history: Sequence[Recorded]) -> Iterator[ReplayVerified | ReplayDiverged]:
    for recorded in history:
        if isinstance(recorded.event, ReplayVerified | ReplayDiverged):
            yield recorded.event


def _execution(history: Sequence[Recorded]) -> Execution:
    return Execution.fold(history[0].originator_id, _events(history))


def _events(history: Sequence[Recorded]) -> list[ExecutionEvent]:
    return [each.event for each in history if isinstance(each.event, ExecutionEvent)]


def _told(history: Sequence[Recorded], payloads: PayloadStore) -> dict[str, object]:
    execution, first = _execution(history), history[0]
    times: dict[str, object] = {}
    for recorded in history:
        times = _timed(recorded) | times
    return times | {
        "execution_id": execution.id,
        "version": execution.version,
        "position": _position(history[-1]),
        "program_id": execution.program_id,
        "program_version": execution.program_version,
        "status": execution.status,
        "outputs": text_of(execution.outputs, payloads),
        "model": execution.model,
        "routing": execution.routing,
        "filled_by": execution.filled_by,
        "varies": execution.varies,
        "failure": execution.failure,
        "warnings": [each.model_dump() for each in execution.warnings],
        "token_usage": spent(model_calls(history)),
        "tool_calls": len(tool_calls(history)),
        "attempts": execution.attempt,
        "actor": first.envelope.actor,
        "correlation_id": first.envelope.correlation_id,
        "requested_at": first.timestamp,
        "deadline": execution.deadline,
        "updated_at": history[-1].timestamp,
        "allowed_actions": tuple(
            action for action in execution.allowed_actions if action in _FOR_CALLERS
        ),
        "replays": _replays(history),
    }


def _timed(recorded: Recorded) -> dict[str, object]:
    at = recorded.timestamp
    match recorded.event:
        case ExecutionStarted():
            return {"started_at": at}
        case ExecutionCompleted(duration_ms=duration_ms) | ExecutionFailed(duration_ms=duration_ms):
            return {"finished_at": at, "duration_ms": duration_ms}
        case ExecutionCancelled(reason=reason):
            return {"finished_at": at, "cancelled_because": reason}
        case _:
            return {}


def _replays(history: Sequence[Recorded]) -> list[ReplayView]:
    replays: dict[int, ReplayView] = {}
    for recorded in history:
        match recorded.event:
            case ReplayRequested(replay=replay):
                replays[replay] = ReplayView(
                    execution_id=recorded.originator_id,
                    replay=replay,
                    outcome="pending",
                    position=_position(recorded),
                    requested_at=recorded.timestamp,
                    requested_by=recorded.envelope.actor,
                )
            case ReplayVerified() | ReplayDiverged() as verdict:
                replays[verdict.replay] = _judged(replays[verdict.replay], verdict, recorded)
            case _:
                pass
    return [replays[number] for number in sorted(replays)]


def _judged(
    view: ReplayView, verdict: ReplayVerified | ReplayDiverged, recorded: Recorded
) -> ReplayView:
    diverged = verdict if isinstance(verdict, ReplayDiverged) else None
    at = diverged and diverged.divergence
    return view.model_copy(
        update={
            "outcome": "diverged" if diverged else "verified",
            "diverged_at": at and DivergenceView(node=at.node, call=at.call),
            "position": _position(recorded),
            "finished_at": recorded.timestamp,
            "duration_ms": verdict.duration_ms,
            "answered_from_log": verdict.answered_from_log,
            "failure": diverged and diverged.failure,
        }
    )


def _position(recorded: Recorded) -> int:
    assert recorded.position is not None, "What was read from the log has a place in it."
    return recorded.position
