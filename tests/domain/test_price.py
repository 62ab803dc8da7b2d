"""Prices: set, changed, withdrawn over time; and what tokens cost by them."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.price.aggregate import Price
from domain.price.values import Counting, Moment, Rates, counting_of
from domain.values import LmUsage
from tests.support.memory import NOW
from tests.support.prices import CHEAP, RATES, SINCE, price_set, price_withdrawn
from tests.support.scenario import Scenario

AMONG, APART = Counting(False, False), Counting(True, True)
LATER = SINCE + timedelta(days=15)
MOMENT = timedelta(microseconds=1)
BOTH = Rates(
    input_usd=Decimal(4),
    cached_input_usd=Decimal(1),
    output_usd=Decimal(10),
    reasoning_usd=Decimal(20),
)


@pytest.fixture
def price() -> Scenario[Price]:
    return Scenario(Price)


def usage(
    prompt: int | None = 1_000_000,
    completion: int | None = 1_000_000,
    *,
    cached: int | None = None,
    reasoning: int | None = None,
    total: int | None = None,
) -> LmUsage:
    return LmUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        total_tokens=total,
    )


def test_a_price_is_set_once_and_changed_for_its_moment(price: Scenario[Price]) -> None:
    price.given(price_set()).when(
        lambda it: it.set(CHEAP, "By contract.", valid_from=SINCE, at=NOW)
    ).then()
    price.given(price_set()).when(
        lambda it: it.set(RATES, "By contract.", valid_from=SINCE, at=NOW)
    ).then(price_set(RATES))
    price.given(price_set()).when(
        lambda it: it.set(CHEAP, "By contract.", valid_from=LATER, at=NOW)
    ).then(price_set(valid_from=LATER))


def test_a_price_is_withdrawn_where_there_is_one(price: Scenario[Price]) -> None:
    def withdraw(it: Price) -> None:
        it.withdraw("The contract ended.", valid_from=LATER, at=NOW)

    withdrawn = price_withdrawn(valid_from=LATER)
    price.given(price_set()).when(withdraw).then(withdrawn)
    price.given(price_set(), withdrawn).when(withdraw).then()
    price.given(price_set(valid_from=LATER + MOMENT)).when(withdraw).then()


@pytest.mark.feature("CST-02")
def test_cst_02_a_price_counts_from_its_moment_to_the_next_one() -> None:
    events = (
        price_set(valid_from=LATER),
        price_set(RATES),
        price_withdrawn(valid_from=LATER + timedelta(days=1)),
    )
    found = Price.fold(uuid4(), events)
    assert found.at(SINCE - MOMENT) is None
    assert found.at(SINCE) == found.at(LATER - MOMENT) == RATES
    assert found.at(LATER) == found.at(LATER + timedelta(hours=23)) == CHEAP
    assert found.at(LATER + timedelta(days=1)) is None
    elsewhere = LATER.astimezone(timezone(timedelta(hours=9)))
    assert found.at(elsewhere) == CHEAP


@pytest.mark.parametrize(
    ("rates", "told", "usd"),
    [
        (CHEAP, usage(), "0.75"),
        (CHEAP, usage(cached=10**6, reasoning=5), "0.75"),
        (CHEAP, usage(0, 0), "0"),
        (CHEAP, usage(1, 1), "0.00000075"),
        (CHEAP, usage(None), None),
        (CHEAP, usage(completion=None), None),
        (BOTH, usage(cached=400_000, reasoning=0), "12.8"),
        (BOTH, usage(cached=0, reasoning=500_000), "19"),
        (BOTH, usage(reasoning=0), None),
        (BOTH, usage(cached=0), None),
        (BOTH, usage(cached=0, total=2_000_000), None),
        (BOTH, usage(cached=1_000_001, reasoning=0), None),
        (BOTH, usage(cached=0, reasoning=1_000_001), None),
    ],
)
def test_tokens_cost_as_they_are_counted(rates: Rates, told: LmUsage, usd: str | None) -> None:
    """Where a price of their own needs a count that nobody gave, the cost is unknown."""
    assert rates.cost_of(told, AMONG) == (None if usd is None else Decimal(usd))


@pytest.mark.parametrize(
    ("rates", "told", "usd"),
    [
        (CHEAP, usage(cached=1_000_000, reasoning=1_000_000), "1.5"),
        (BOTH, usage(cached=1_000_000, reasoning=1_000_000), "35"),
        (BOTH, usage(cached=0, reasoning=2_000_000), "54"),
        (CHEAP, usage(), None),
        (CHEAP, usage(total=2_000_000), "0.75"),
        (CHEAP, usage(total=2_000_001), None),
        (CHEAP, usage(cached=5, completion=None, total=1), None),
    ],
)
def test_tokens_counted_apart_cost_beside_the_others(
    rates: Rates, told: LmUsage, usd: str | None
) -> None:
    """What nobody speaks of is none where the total leaves no room for it, else unknown."""
    assert rates.cost_of(told, APART) == (None if usd is None else Decimal(usd))


def test_the_name_of_a_model_tells_how_its_provider_counts() -> None:
    told = {
        "openai/gpt-4o-mini": AMONG,
        "scripted/triage": AMONG,
        "anthropic/claude": Counting(cached_apart=True, reasoning_apart=False),
        "bedrock-anthropic/claude": Counting(cached_apart=True, reasoning_apart=False),
        "openrouter/anthropic/claude": AMONG,
        "gemini/flash": Counting(cached_apart=False, reasoning_apart=True),
        "xai/grok": Counting(cached_apart=False, reasoning_apart=True),
    }
    assert {model: counting_of(model) for model in told} == told


_USD = st.decimals(0, 999_999, places=9)
_TOKENS = st.integers(0, 10**9)


@given(_USD, _USD, _TOKENS, _TOKENS)
def test_no_cost_is_rounded(asked: Decimal, given_: Decimal, prompt: int, completion: int) -> None:
    found = Rates(input_usd=asked, output_usd=given_).cost_of(usage(prompt, completion), AMONG)
    assert found is not None
    nano = 10**9
    exact = int(asked * nano) * prompt + int(given_ * nano) * completion
    assert int(found.scaleb(15)) == exact


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity", "0.0000000001", "1000000"])
def test_what_is_no_price_is_refused(usd: str) -> None:
    with pytest.raises(ValidationError):
        Rates(input_usd=Decimal(usd), output_usd=Decimal(1))


@pytest.mark.parametrize("moment", [datetime(1999, 12, 31, tzinfo=UTC), datetime(2030, 1, 1)])  # noqa: DTZ001
def test_a_price_begins_at_a_time_that_calendars_hold(moment: Moment) -> None:
    with pytest.raises(ValidationError):
        price_set(valid_from=moment)
