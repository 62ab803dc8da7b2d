"""What came of running recorded executions another way: one by one, and in sum."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import fsum
from statistics import fmean
from typing import NamedTuple

from application.lm_ports import JsonObject
from application.payloads import canonical_json
from domain.evaluation.metrics import Metric
from domain.execution.aggregate import Execution
from domain.values import LmCall, ToolCall


class Figures(NamedTuple):
    """What a run takes if all of its calls are made, one after the other; unknown is ``None``."""

    calls: int
    cost_usd: Decimal | None
    latency_ms: float


class Outcome(NamedTuple):
    """A recorded execution and its other run; ``is_equal`` is about what they gave.

    ``after`` counts a reused call as what it cost and took when it was made; ``paid_usd`` is what
    the run itself cost. The scores are those of what each gave, and 0 for one that failed.
    """

    before: Figures
    after: Figures
    is_equal: bool
    reused: int
    paid: int
    paid_usd: Decimal | None
    score_before: float | None
    score_after: float | None


class Sums(NamedTuple):
    """All outcomes together. A cost that is not known of one of them is not known of all."""

    equal: int
    reused: int
    paid: int
    paid_usd: Decimal | None
    cost_before_usd: Decimal | None
    cost_after_usd: Decimal | None
    latency_before_ms: float
    latency_after_ms: float
    score_before: float | None
    score_after: float | None


class Judge(NamedTuple):
    """A metric, and what is right for the inputs of an execution; nobody may know that."""

    measure: Metric
    gold: JsonObject | None

    def score(self, inputs: JsonObject, outputs: JsonObject | None) -> float | None:
        if self.gold is None:
            return None
        if outputs is None:
            return 0.0
        return min(1.0, max(0.0, self.measure({**inputs, **self.gold}, outputs)))


class Texts(NamedTuple):
    """What a recorded execution took and gave, and what its other run gave."""

    inputs: JsonObject
    before: JsonObject
    after: JsonObject | None


def outcome(source: Execution, run: Execution, texts: Texts, judge: Judge | None) -> Outcome:
    """What became of *run*, which ended, against *source*, whose calls led to the outputs."""
    made = {call.key: call for call in source.calls}
    calls = [made[call.key] if call.filled_by else call for call in run.calls]
    asked = [call for call in run.calls if isinstance(call, LmCall)]
    reused = sum(call.filled_by is not None for call in asked)
    return Outcome(
        before=_figures(source.calls),
        after=_figures(calls),
        is_equal=texts.after is not None and _same(texts.before, texts.after),
        reused=reused,
        paid=len(asked) - reused,
        paid_usd=run.spend.cost_usd,
        score_before=judge and judge.score(texts.inputs, texts.before),
        score_after=judge and judge.score(texts.inputs, texts.after),
    )


def summed(outcomes: Sequence[Outcome]) -> Sums:
    return Sums(
        equal=sum(each.is_equal for each in outcomes),
        reused=sum(each.reused for each in outcomes),
        paid=sum(each.paid for each in outcomes),
        paid_usd=_usd(each.paid_usd for each in outcomes),
        cost_before_usd=_usd(each.before.cost_usd for each in outcomes),
        cost_after_usd=_usd(each.after.cost_usd for each in outcomes),
        latency_before_ms=fsum(each.before.latency_ms for each in outcomes),
        latency_after_ms=fsum(each.after.latency_ms for each in outcomes),
        score_before=_mean(each.score_before for each in outcomes),
        score_after=_mean(each.score_after for each in outcomes),
    )


def _figures(calls: Sequence[LmCall | ToolCall]) -> Figures:
    return Figures(
        calls=sum(isinstance(call, LmCall) for call in calls),
        cost_usd=_usd(call.cost_usd for call in calls if isinstance(call, LmCall)),
        latency_ms=fsum(call.latency_ms for call in calls),
    )


def _usd(parts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def _mean(scores: Iterable[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return fmean(known) if known else None


def _same(before: JsonObject, after: JsonObject) -> bool:
    return canonical_json(dict(before)) == canonical_json(dict(after))
