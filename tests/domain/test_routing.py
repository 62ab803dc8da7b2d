"""Which candidate of a route answers: by strategy, under conditions, and the same again later."""

from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.routing import (
    Candidate,
    Choice,
    ModelFeatures,
    NoModelAvailable,
    RoutePlan,
    RunFeatures,
    Strategy,
    draw_of,
    named_route,
    select,
)
from tests.support.routes import ROUTED

A, B, C = (Candidate(model=f"{each}/m") for each in "abc")
OPEN = {"circuit": "open"}


def choose(
    strategy: Strategy,
    *candidates: tuple[Candidate, dict[str, Any]],
    input_size: int = 100,
    draw: float = 0.5,
    given: tuple[str, ...] = (),
) -> Choice:
    """The choice among *candidates*, each with what is told of it."""
    plan = RoutePlan(strategy=strategy, candidates=tuple(each for each, _ in candidates))
    models = tuple(ModelFeatures.model_validate(told) for _, told in candidates)
    features = RunFeatures(input_size=input_size, draw=draw, given=given, models=models)
    return select(plan, features)


def chosen(*args: Any, **more: Any) -> tuple[str, str | None]:
    choice = choose(*args, **more)
    return choice.model, choice.fallback


@pytest.mark.feature("RTR-02")
def test_rtr_02_primary_is_the_first_whatever_its_circuit_and_nothing_instead() -> None:
    assert chosen(Strategy.PRIMARY, (A, OPEN), (B, {})) == ("a/m", None)
    assert chosen(Strategy.PRIMARY, (A, {"is_usable": False}), (B, {})) == ("b/m", None)


@pytest.mark.feature("RTR-02")
def test_rtr_02_fallback_passes_over_what_is_left_alone_and_has_the_next_one_ready() -> None:
    assert chosen(Strategy.FALLBACK, (A, {}), (B, {}), (C, {})) == ("a/m", "b/m")
    assert chosen(Strategy.FALLBACK, (A, {}), (B, OPEN), (C, {})) == ("a/m", "c/m")
    assert chosen(Strategy.FALLBACK, (A, OPEN), (B, {"circuit": "half_open"})) == ("b/m", None)


@pytest.mark.feature("RTR-02")
def test_rtr_02_cost_optimized_is_the_cheapest_and_never_one_of_unknown_price() -> None:
    dear, cheap = {"cost_usd": Decimal("0.02")}, {"cost_usd": Decimal("0.001")}
    assert chosen(Strategy.COST_OPTIMIZED, (A, {}), (B, dear), (C, cheap)) == ("c/m", "b/m")
    assert chosen(Strategy.COST_OPTIMIZED, (A, {}), (B, dear)) == ("b/m", "a/m")
    assert chosen(Strategy.COST_OPTIMIZED, (A, {}), (B, {})) == ("a/m", "b/m")


@pytest.mark.feature("RTR-02")
def test_rtr_02_latency_optimized_is_the_soonest_and_last_what_nobody_asked() -> None:
    slow, quick = {"latency_ms": 900.0}, {"latency_ms": 80.0}
    assert chosen(Strategy.LATENCY_OPTIMIZED, (A, {}), (B, slow), (C, quick)) == ("c/m", "b/m")
    assert chosen(Strategy.LATENCY_OPTIMIZED, (A, {}), (B, {}), (C, OPEN)) == ("a/m", "b/m")


@pytest.mark.feature("RTR-02")
def test_rtr_02_load_balanced_draws_by_weight_and_success() -> None:
    three = A.model_copy(update={"weight": 3})
    assert chosen(Strategy.LOAD_BALANCED, (three, {}), (B, {}), draw=0.74) == ("a/m", "b/m")
    assert chosen(Strategy.LOAD_BALANCED, (three, {}), (B, {}), draw=0.75) == ("b/m", "a/m")
    failing = {"success_rate": 0.25}
    shares = (three, failing), (B, {}), (C, OPEN)
    assert chosen(Strategy.LOAD_BALANCED, *shares, draw=0.42) == ("a/m", "b/m")
    assert chosen(Strategy.LOAD_BALANCED, *shares, draw=0.43) == ("b/m", "a/m")


@pytest.mark.feature("RTR-07")
def test_rtr_07_weights_of_three_to_one_are_three_quarters_of_four_thousand_runs() -> None:
    three = A.model_copy(update={"weight": 3})
    ids = [UUID(int=number) for number in range(4000)]
    drawn = Counter(
        chosen(Strategy.LOAD_BALANCED, (three, {}), (B, {}), draw=draw_of(each))[0] for each in ids
    )
    assert drawn.total() == 4000
    assert drawn["a/m"] / 4000 == pytest.approx(0.75, abs=0.03)
    again = chosen(Strategy.LOAD_BALANCED, (three, {}), (B, {}), draw=draw_of(ids[7]))
    assert again == chosen(Strategy.LOAD_BALANCED, (three, {}), (B, {}), draw=draw_of(ids[7]))


@pytest.mark.feature("RTR-02")
@pytest.mark.parametrize(
    ("condition", "told", "run"),
    [
        ({"input_size_max": 99}, {}, {}),
        ({"cost_limit_usd": "0.01"}, {"cost_usd": "0.011"}, {}),
        ({"cost_limit_usd": "0.01"}, {}, {}),
        ({"context_required": "context"}, {}, {"given": ("hint",)}),
    ],
)
def test_rtr_02_a_candidate_answers_only_where_its_conditions_hold(
    condition: dict[str, Any], told: dict[str, Any], run: dict[str, Any]
) -> None:
    narrow = Candidate.model_validate({"model": "a/m", **condition})
    for strategy in Strategy:
        choice = choose(strategy, (narrow, told), (B, {}), **run)
        assert (choice.model, choice.fallback) == ("b/m", None)
        assert "a/m" in choice.reason


@pytest.mark.feature("RTR-02")
def test_rtr_02_conditions_hold_up_to_what_they_say() -> None:
    values = {"input_size_max": 100, "cost_limit_usd": "0.01", "context_required": "context"}
    narrow = Candidate.model_validate({"model": "a/m", **values})
    told = {"cost_usd": Decimal("0.01")}
    for strategy in set(Strategy) - {Strategy.LOAD_BALANCED}:
        assert choose(strategy, (narrow, told), (B, {}), given=("context",)).model == "a/m"


@pytest.mark.feature("RTR-04")
def test_rtr_04_without_a_candidate_there_is_a_typed_error_that_says_why() -> None:
    small = A.model_copy(update={"input_size_max": 10})
    with pytest.raises(NoModelAvailable, match="a/m takes 10 bytes at most; b/m may not") as told:
        choose(Strategy.FALLBACK, (small, {}), (B, {"is_usable": False}))
    assert (told.value.code, told.value.may_pass) == ("route.no_model_available", False)
    with pytest.raises(NoModelAvailable, match="left alone") as told:
        choose(Strategy.FALLBACK, (A, OPEN), (B, OPEN))
    assert told.value.may_pass


MAYBE = st.none() | st.floats(0.001, 1)
MODELS = st.builds(
    ModelFeatures,
    is_usable=st.booleans(),
    circuit=st.sampled_from(("closed", "half_open", "open")),
    cost_usd=st.none() | st.decimals(0, 1, places=4),
    latency_ms=MAYBE,
    success_rate=MAYBE,
)


@pytest.mark.feature("RTR-01")
@given(
    strategy=st.sampled_from(Strategy),
    models=st.lists(MODELS, min_size=1, max_size=5),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_rtr_01_what_is_on_record_leads_to_the_same_choice_again(
    strategy: Strategy, models: list[ModelFeatures], draw: float
) -> None:
    candidates = tuple(Candidate(model=f"{index}/m") for index in range(len(models)))
    plan = RoutePlan(strategy=strategy, candidates=candidates)
    features = RunFeatures(input_size=9, draw=draw, models=tuple(models))

    def outcome(plan: RoutePlan, features: RunFeatures) -> object:
        try:
            return select(plan, features)
        except NoModelAvailable as error:
            return str(error)

    stored = (plan.model_dump_json(), features.model_dump_json())
    read = RoutePlan.model_validate_json(stored[0]), RunFeatures.model_validate_json(stored[1])
    found = outcome(plan, features)
    assert outcome(*read) == found
    if isinstance(found, Choice):
        assert found.fallback != found.model
        told = models[int(found.model.partition("/")[0])]
        assert told.is_usable
        assert told.circuit != "open" or strategy is Strategy.PRIMARY


@pytest.mark.feature("RTR-01")
def test_rtr_01_a_routing_holds_what_its_choice_was_made_by() -> None:
    routing = ROUTED.routing
    assert select(routing.plan, routing.features) == routing.choice
    assert routing.choice.model == "gpt/large"
    assert routing.choice.reason == "It is the only one left; mini/small takes 2000 bytes at most."


def test_a_route_is_named_by_its_prefix() -> None:
    assert named_route("route:by size") == "by size"
    assert named_route("route/by size") is None
    assert named_route(None) is None
