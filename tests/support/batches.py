"""A batch with all that can happen to one, and to two of its rows."""

from decimal import Decimal
from typing import Any

from domain.batch.events import (
    BatchCancelled,
    BatchCompleted,
    BatchEstimated,
    BatchPaused,
    BatchRequested,
    BatchResumed,
)
from domain.batch.values import Estimate, run_of
from domain.execution.events import ExecutionCancelled
from domain.execution.values import Caller
from domain.kernel import Event
from domain.values import Cache, Failure
from tests.support import histories as build
from tests.support.histories import Log, an_id, ref

SPENT = Failure(code="budget.spent", message="Nothing is left.")
BATCH = an_id("batch")
ESTIMATE = Estimate(
    executions=7, unchanged=2, reused=9, paid=5, unpriced=1, cost_usd=Decimal("0.0125")
)


def a_wish(**changes: Any) -> BatchRequested:
    """Seven rows, two at once, three a stored text, unless *changes* say otherwise."""
    wish: dict[str, Any] = {
        "program_id": an_id("program"),
        "program_version": 1,
        "chunks": (ref("rows 1"), ref("rows 2"), ref("rows 3")),
        "rows_a_chunk": 3,
        "count": 7,
        "concurrency": 2,
        "deadline_s": None,
        "requested_by": "alice",
    }
    return BatchRequested(**(wish | changes))


def caller(row: int) -> Caller:
    return Caller(kind="batch", id=BATCH, place=row)


def tell_a_batch(log: Log) -> None:
    """A batch is paused, goes on, and is done; another is called off, a third one estimated."""
    log.append(an_id("counterfactual"), a_wish(varies=ref("varied")))
    log.append(an_id("counterfactual"), BatchEstimated(estimate=ESTIMATE))
    log.append(BATCH, a_wish())
    asked = [build.execution_requested(caller=caller(row)) for row in (1, 2, 3, 4)]
    for row, request in enumerate(asked, 1):
        log.append(run_of(BATCH, row), request)
    completed = build.execution_completed().model_copy(update={"caller": caller(1)})
    log.append(run_of(BATCH, 1), completed)
    failed = build.execution_failed().model_copy(update={"caller": caller(2)})
    log.append(run_of(BATCH, 2), failed)
    cancelled = ExecutionCancelled(reason="Enough.", caller=caller(3))
    log.append(run_of(BATCH, 3), cancelled)
    log.append(BATCH, BatchPaused(failure=SPENT), BatchResumed(), BatchCompleted())
    log.append(an_id("another batch"), a_wish(), BatchCancelled(reason="Wrong file."))


EXAMPLES: tuple[tuple[Event, ...], ...] = (
    (
        a_wish(
            deadline_s=2.5,
            model="OpenAI GPT-4/gpt-4",
            caches=(Cache.ANSWERS,),
            fail_fast=True,
            varies=ref("varied"),
        ),
        a_wish(),
    ),
    (
        BatchEstimated(estimate=ESTIMATE),
        BatchEstimated(estimate=ESTIMATE.model_copy(update={"cost_usd": None})),
    ),
    (
        BatchPaused(failure=SPENT.model_copy(update={"retryable": True, "provider_status": 429})),
        BatchPaused(failure=SPENT),
    ),
    (BatchResumed(),),
    (BatchCancelled(reason="Wrong file."),),
    (BatchCompleted(),),
)
"""For the golden files of what is stored."""
