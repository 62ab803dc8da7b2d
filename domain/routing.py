"""Which model of a route answers a run: a choice that anybody can make again from its features."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import Annotated, ClassVar, Final, Literal, NamedTuple, assert_never
from uuid import UUID

from pydantic import Field

from domain.errors import ConflictError
from domain.kernel import ValueObject
from domain.text import Name
from domain.values import ModelRef, Usd

_PREFIX: Final = "route:"

MAX_CANDIDATES: Final = 20


def named_route(model: str | None) -> str | None:
    """The name of the route that stands where a model is named, as ``route:NAME``."""
    if model is None or not model.startswith(_PREFIX):
        return None
    return model.removeprefix(_PREFIX)


class Strategy(StrEnum):
    """How one of the candidates is chosen whose conditions hold."""

    PRIMARY = "primary"
    """The first one, however it does; no other one answers where it fails."""
    FALLBACK = "fallback"
    """The first one that is not left alone because it fails."""
    LOAD_BALANCED = "load_balanced"
    """Each as often as its weight says, less often the more of its calls fail."""
    COST_OPTIMIZED = "cost_optimized"
    """The cheapest for these inputs; one of unknown price comes last."""
    LATENCY_OPTIMIZED = "latency_optimized"
    """The one that answered soonest of late; one that was not asked comes last."""


class Candidate(ValueObject):
    """A model that may answer, under conditions: all that are named have to hold."""

    model: ModelRef
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    input_size_max: Annotated[
        int | None, Field(ge=1, description="Only for inputs of so many bytes of JSON at most.")
    ] = None
    cost_limit_usd: Annotated[
        Usd | None,
        Field(description="Only where a call is known to cost so much at most, by the price book."),
    ] = None
    context_required: Annotated[
        Name | None, Field(description="Only for inputs that give this field a value.")
    ] = None


class RoutePlan(ValueObject):
    """The candidates in the order of preference, and how one of them is chosen."""

    strategy: Strategy
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1, max_length=MAX_CANDIDATES)]


class ModelFeatures(ValueObject):
    """What was known of a candidate; what nobody knew, or asked for, is ``None``.

    ``cost_usd`` is that of one call on the inputs, with the longest answer that the model gives.
    """

    is_usable: bool = True
    circuit: Literal["closed", "half_open", "open"] = "closed"
    cost_usd: Usd | None = None
    latency_ms: Annotated[float, Field(ge=0)] | None = None
    success_rate: Annotated[float, Field(gt=0, le=1)] | None = None


class RunFeatures(ValueObject):
    """What a choice is made by: the run, and each candidate in the order of the plan.

    ``given`` are those inputs with a value that a condition asks for. ``draw`` stands in for
    chance: it follows from the id of the run.
    """

    input_size: Annotated[int, Field(ge=0)]
    given: tuple[str, ...] = ()
    draw: Annotated[float, Field(ge=0, lt=1)]
    models: tuple[ModelFeatures, ...]


class Choice(ValueObject):
    """The model that answers, which one instead where it fails, and why."""

    model: ModelRef
    fallback: ModelRef | None = None
    reason: str


class Routing(ValueObject):
    """A choice as it was made, with all that it was made by."""

    route_id: UUID
    route: str
    plan: RoutePlan
    features: RunFeatures
    choice: Choice


class NoModelAvailable(ConflictError):
    """No candidate of a route may answer. ``may_pass`` if one is only left alone for a while."""

    code: ClassVar[str] = "route.no_model_available"

    def __init__(self, why: Sequence[str], *, may_pass: bool) -> None:
        super().__init__(f"No model of this route may answer: {'; '.join(why)}.")
        self.may_pass = may_pass


def draw_of(run_id: UUID) -> float:
    """A number from 0 to below 1 that follows from *run_id*, evenly spread over many."""
    return int.from_bytes(hashlib.sha256(run_id.bytes).digest()[:4]) / 2**32


def select(plan: RoutePlan, features: RunFeatures) -> Choice:
    """Choose a model by nothing but *plan* and *features*.

    Raises:
        NoModelAvailable: The conditions of none hold, or those whose do are left alone.
    """
    standings = [_Standing(*each) for each in zip(plan.candidates, features.models, strict=True)]
    passed, fitting = list[str](), list[_Standing]()
    for each in standings:
        why_not = next(_obstacles(each, plan.strategy, features), None)
        if why_not is None:
            fitting.append(each)
        else:
            passed.append(f"{each.candidate.model} {why_not}")
    if not fitting:
        may_pass = any(each.told.circuit == "open" for each in standings)
        raise NoModelAvailable(passed, may_pass=may_pass)
    return _chosen(plan.strategy, fitting, features, passed)


class _Standing(NamedTuple):
    """A candidate, and what is told of it."""

    candidate: Candidate
    told: ModelFeatures


_WHY: Final = {
    Strategy.PRIMARY: "It is the first whose conditions hold",
    Strategy.FALLBACK: "It is the first whose conditions hold and that is not left alone",
    Strategy.LOAD_BALANCED: "It was drawn by weight and success",
    Strategy.COST_OPTIMIZED: "It is the cheapest that is known of",
    Strategy.LATENCY_OPTIMIZED: "It answered soonest of late",
}


def _chosen(
    strategy: Strategy, fitting: Sequence[_Standing], features: RunFeatures, passed: Sequence[str]
) -> Choice:
    first, *others = _ranked(strategy, fitting, features)
    instead = others[0].candidate.model if others and strategy is not Strategy.PRIMARY else None
    why = "It is the only one left" if len(fitting) == 1 and passed else _WHY[strategy]
    reason = "; ".join((why, *passed))
    return Choice(model=first.candidate.model, fallback=instead, reason=f"{reason}.")


def _obstacles(standing: _Standing, strategy: Strategy, features: RunFeatures) -> Iterator[str]:
    """What keeps a candidate from being chosen."""
    candidate, told = standing
    if not told.is_usable:
        yield "may not be asked now"
    if told.circuit == "open" and strategy is not Strategy.PRIMARY:
        yield "is left alone because it fails"
    largest, limit, needed = (
        candidate.input_size_max,
        candidate.cost_limit_usd,
        candidate.context_required,
    )
    if largest is not None and features.input_size > largest:
        yield f"takes {largest} bytes at most"
    if limit is not None and told.cost_usd is None:
        yield "costs nobody knows what"  # never taken for cheap
    elif limit is not None and told.cost_usd is not None and told.cost_usd > limit:
        yield f"would cost more than {limit:f} USD"
    if needed is not None and needed not in features.given:
        yield f"is for inputs with {needed}"


def _ranked(
    strategy: Strategy, fitting: Sequence[_Standing], features: RunFeatures
) -> Sequence[_Standing]:
    """The best first; what is equal, or unknown, stays in the order of the plan."""
    match strategy:
        case Strategy.LOAD_BALANCED:
            drawn = _drawn(fitting, features.draw)
            return [drawn, *(each for each in fitting if each is not drawn)]
        case Strategy.COST_OPTIMIZED:
            return sorted(fitting, key=lambda each: _unknown_last(each.told.cost_usd))
        case Strategy.LATENCY_OPTIMIZED:
            return sorted(fitting, key=lambda each: _unknown_last(each.told.latency_ms))
        case Strategy.PRIMARY | Strategy.FALLBACK:
            return fitting
        case _:
            assert_never(strategy)


def _drawn(fitting: Sequence[_Standing], draw: float) -> _Standing:
    shares = [each.candidate.weight * (each.told.success_rate or 1.0) for each in fitting]
    ends = list(accumulate(shares))
    return fitting[min(bisect_right(ends, draw * ends[-1]), len(fitting) - 1)]


def _unknown_last(value: object) -> tuple[bool, object]:
    return (value is None, value or 0)
