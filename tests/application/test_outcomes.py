"""Recorded executions beside their other runs: what changed, and what all of it costs."""

from decimal import Decimal
from uuid import uuid4

import pytest

from application.lm_ports import JsonObject
from application.outcomes import Figures, Judge, Outcome, Texts, outcome, summed
from domain.evaluation.metrics import exact_match
from domain.execution.aggregate import Execution
from domain.values import NO_USAGE, Failure, LmCall, RunRef, ToolCall
from tests.support.memory import NOW
from tests.support.runs import BROKEN, answered, key, ref

SAME: JsonObject = {"queue": "bug"}
OTHER: JsonObject = {"queue": "billing"}
TEXTS = Texts({"message": "Hi."}, SAME, SAME)


def a_call(name: str, cost: str | None = "0.001", **changes: object) -> LmCall:
    told = {"cost_usd": None if cost is None else Decimal(cost), "latency_ms": 100.0, **changes}
    return answered(name)[0].model_copy(update=told)


def a_tool(**changes: object) -> ToolCall:
    call = ToolCall(
        key=key("tool"),
        node="answer",
        tool="search",
        arguments=ref("given"),
        result=ref("found"),
        latency_ms=7,
    )
    return call.model_copy(update=changes)


def a_run(*calls: LmCall | ToolCall, failure: Failure | None = None) -> Execution:
    run = Execution.request(
        uuid4(), program_id=uuid4(), program_version=1, inputs=ref("inputs"), at=NOW
    )
    run.start("worker", at=NOW)
    for call in calls:
        if isinstance(call, LmCall):
            run.record_call(call, at=NOW)
        else:
            run.record_tool_call(call, at=NOW)
    if failure is None:
        run.complete(ref("outputs"), duration_ms=1, at=NOW)
    else:
        run.fail(failure, duration_ms=1, at=NOW)
    return run


def reused(source: Execution, call: LmCall | ToolCall) -> LmCall | ToolCall:
    told: dict[str, object] = {
        "filled_by": RunRef(kind="execution", id=source.id),
        "latency_ms": 0.0,
    }
    if isinstance(call, LmCall):
        told |= {"cost_usd": Decimal(0), "usage": NO_USAGE}
    return call.model_copy(update=told)


def test_a_reused_call_counts_as_what_it_was_and_is_not_paid() -> None:
    source = a_run(a_call("one"), a_tool(), a_call("two", "0.004"))
    kept = [reused(source, call) for call in source.calls[:2]]
    run = a_run(*kept, a_call("changed", "0.01", latency_ms=30.0))
    found = outcome(source, run, TEXTS, None)
    assert found.before == Figures(calls=2, cost_usd=Decimal("0.005"), latency_ms=207)
    assert found.after == Figures(calls=2, cost_usd=Decimal("0.011"), latency_ms=137)
    assert (found.reused, found.paid, found.paid_usd) == (1, 1, Decimal("0.01"))
    assert (found.is_equal, found.score_before, found.score_after) == (True, None, None)


@pytest.mark.parametrize(
    ("after", "gold", "scores"),
    [
        (SAME, SAME, (1, 1)),
        (OTHER, SAME, (1, 0)),
        (OTHER, OTHER, (0, 1)),
        (None, SAME, (1, 0)),
        (OTHER, None, (None, None)),
    ],
)
def test_both_sides_are_scored_by_what_is_right(
    after: JsonObject | None, gold: JsonObject | None, scores: tuple[float | None, ...]
) -> None:
    run = a_run(failure=BROKEN if after is None else None)
    texts = TEXTS._replace(after=after)
    found = outcome(a_run(), run, texts, Judge(exact_match, gold))
    assert (found.score_before, found.score_after) == scores
    assert found.is_equal == (after == SAME)


def an_outcome(cost: str | None, paid: str | None, score: float | None) -> Outcome:
    figures = Figures(1, None if cost is None else Decimal(cost), 10)
    return Outcome(
        before=figures,
        after=figures,
        is_equal=score == 1,
        reused=1,
        paid=2,
        paid_usd=None if paid is None else Decimal(paid),
        score_before=score,
        score_after=score,
    )


def test_sums_are_unknown_where_a_part_is() -> None:
    known = summed([an_outcome("0.1", "0.2", 1.0), an_outcome("0.3", "0.4", 0.0)])
    assert (known.equal, known.reused, known.paid) == (1, 2, 4)
    assert (known.cost_before_usd, known.paid_usd) == (Decimal("0.4"), Decimal("0.6"))
    assert (known.latency_after_ms, known.score_after) == (20, 0.5)
    partly = summed([an_outcome("0.1", None, 1.0), an_outcome(None, "0.4", None)])
    assert (partly.cost_after_usd, partly.paid_usd, partly.score_before) == (None, None, 1.0)
    assert summed([]).score_after is None
