"""What an execution has of the one that it varies: the answers to calls that are equal."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from application.ports import Repository
from domain.execution.aggregate import Execution
from domain.values import NO_USAGE, Digest, LmCall, PayloadRef, RunRef, ToolCall


class PastCall(NamedTuple):
    """A call as the run that it answers has it on record: free, with the run that it comes from."""

    call: LmCall | ToolCall
    answer: PayloadRef


def told_by(executions: Repository[Execution], execution: Execution) -> Execution:
    """The execution whose calls led to the outputs: an equal one, if it was a hit."""
    source = execution.filled_by
    return execution if source is None else executions.get(source)


def on_record(
    executions: Repository[Execution], varied: UUID, *, model: str | None
) -> Mapping[Digest, PastCall]:
    """The calls of the execution *varied* that answer equal ones of a run on *model*, by key.

    Raises:
        AggregateNotFound: There is no such execution.
    """
    source = told_by(executions, executions.get(varied))
    return {past.call.key: past for past in reusable(source, model=model)}


def reusable(source: Execution, *, model: str | None) -> Iterator[PastCall]:
    """The calls of *source* that may answer a run on *model*.

    Another provider may offer a model by the same name: that one's answers are its own. And what a
    model refused is asked again, as that may have been its bad day.
    """
    run = RunRef(kind="execution", id=source.id)
    for call in source.calls:
        told: dict[str, object] = {"filled_by": call.filled_by or run, "latency_ms": 0.0}
        if isinstance(call, ToolCall):
            yield PastCall(call.model_copy(update=told), call.result)
        elif call.response is not None and call.failure is None and source.model == model:
            free = {"usage": NO_USAGE, "cost_usd": Decimal(0), "attempts": 0}
            yield PastCall(call.model_copy(update=told | free), call.response)
