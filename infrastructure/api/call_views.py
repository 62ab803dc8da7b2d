"""The calls of an execution as its own stream tells them: of models, tools and the like."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from application.errors import PayloadIsMissing
from application.ports import PayloadStore
from domain.execution.events import ExecutionLmCalled, ExecutionToolCalled
from domain.kernel import Recorded
from domain.values import Failure, LmCall, LmUsage, PayloadRef, RunRef, ToolCall


class LmCallView(BaseModel):
    """One model call: what was asked and what was answered, word for word."""

    kind: Literal["model"] = "model"
    index: int = Field(description="Its place among the calls, from 1.")
    node: str = Field(description="The predictor that asked.")
    role: Literal["task", "optimizer"]
    model: str
    model_served: str | None = Field(description="What the provider says it answered with.")
    rollout_id: int | None
    request: JsonValue = Field(description="Prompt and settings; null once erased.")
    response: JsonValue = Field(description="The answer; null if it failed or was erased.")
    usage: LmUsage
    cost_usd: Decimal | None = Field(description="US dollars, exact; null when not known.")
    latency_ms: float = Field(description="Wall time of all attempts.")
    attempts: int
    finish_reason: str | None
    failure: Failure | None
    filled_by: RunRef | None = Field(
        description="The run whose equal call was made, if no model was asked this time."
    )
    called_at: datetime = Field(description="When it was answered and recorded.")


class ToolCallView(BaseModel):
    """One call of a tool, a retriever or an interpreter, and what the program was told."""

    kind: Literal["tool", "retrieval", "code"]
    index: int = Field(description="Its place among the calls, from 1.")
    node: str = Field(description="Where in the program it was called.")
    tool: str = Field(description="The name that the program knows it by.")
    arguments: JsonValue = Field(description="What it was given; null once erased.")
    result: JsonValue = Field(description="What it gave; null if it failed or was erased.")
    latency_ms: float
    failure: Failure | None = Field(description="The program was told its message as the result.")
    filled_by: RunRef | None = Field(
        description="The run whose equal call was made, if nothing was called this time."
    )
    called_at: datetime = Field(description="When it was answered and recorded.")


CallView = Annotated[LmCallView | ToolCallView, Field(discriminator="kind")]


class TraceView(BaseModel):
    """The calls of an execution, in order."""

    execution_id: UUID
    items: tuple[CallView, ...]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


Called = ExecutionLmCalled | ExecutionToolCalled


def calls(history: Sequence[Recorded]) -> Sequence[tuple[Called, datetime]]:
    """The calls that *history* tells, in order, each with when it was recorded."""
    return [(each.event, each.timestamp) for each in history if isinstance(each.event, Called)]


def model_calls(history: Sequence[Recorded]) -> Sequence[LmCall]:
    """The model calls that *history* tells, in order."""
    return [each.event.call for each in history if isinstance(each.event, ExecutionLmCalled)]


def tool_calls(history: Sequence[Recorded]) -> Sequence[ToolCall]:
    """The calls of tools that *history* tells, in order."""
    return [each.event.call for each in history if isinstance(each.event, ExecutionToolCalled)]


def call_view(index: int, called: Called, at: datetime, payloads: PayloadStore) -> CallView:
    """One call with its texts."""
    if isinstance(called, ExecutionToolCalled):
        return _tool_call(index, called.call, at, payloads)
    return _model_call(index, called.call, at, payloads)


def _model_call(index: int, call: LmCall, at: datetime, payloads: PayloadStore) -> LmCallView:
    return LmCallView(
        index=index,
        node=call.node,
        role=call.role,
        model=call.model,
        model_served=call.model_served,
        rollout_id=call.rollout_id,
        request=text_of(call.request, payloads),
        response=text_of(call.response, payloads),
        usage=call.usage,
        cost_usd=call.cost_usd,
        latency_ms=call.latency_ms,
        attempts=call.attempts,
        finish_reason=call.finish_reason,
        failure=call.failure,
        filled_by=call.filled_by,
        called_at=at,
    )


def _tool_call(index: int, call: ToolCall, at: datetime, payloads: PayloadStore) -> ToolCallView:
    stored = text_of(call.result, payloads)
    return ToolCallView(
        kind=call.kind,
        index=index,
        node=call.node,
        tool=call.tool,
        arguments=text_of(call.arguments, payloads),
        result=stored.get("result") if isinstance(stored, dict) else None,
        latency_ms=call.latency_ms,
        failure=call.failure,
        filled_by=call.filled_by,
        called_at=at,
    )


def text_of(ref: PayloadRef | None, payloads: PayloadStore) -> JsonValue:
    """The text at *ref*; nothing if there is none or it was erased."""
    if ref is None:
        return None
    try:
        return payloads.get(ref)
    except PayloadIsMissing:
        return None
