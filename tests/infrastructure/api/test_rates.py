"""Rates: a bucket for each tenant and each actor, which fills with time."""

import pytest

from domain.access.values import Role
from infrastructure.api.callers import Caller
from infrastructure.api.rates import Buckets, RateIsExceeded, Rates
from tests.support.api import ApiWorld


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def caller(tenant: str = "acme", actor: str = "ann") -> Caller:
    return Caller(tenant, actor, frozenset({Role.VIEWER}))


def test_a_bucket_takes_a_burst_and_then_what_has_come_in() -> None:
    hand = Hand()
    buckets = Buckets(2.0, hand)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    hand.at_s += 0.25
    assert buckets.take("a") == 0.25
    hand.at_s += 0.25
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    hand.at_s += 1000
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_a_rate_below_one_still_lets_one_through() -> None:
    buckets = Buckets(0.1, Hand())
    assert [buckets.take("a"), buckets.take("a")] == [0, 10]


def test_those_who_were_not_seen_for_longest_are_forgotten() -> None:
    buckets = Buckets(0.5, Hand())
    assert [buckets.take("first"), buckets.take("first")] == [0, 2]
    for number in range(10_000):
        buckets.take(number)
    assert buckets.take("first") == 0


def test_each_has_its_own_and_without_a_rate_there_is_no_limit() -> None:
    rates = Rates(tenant_per_s=1.5, actor_per_s=0.5)
    rates.take(caller())
    with pytest.raises(RateIsExceeded, match=r"actor ann may send 0\.5 requests"):
        rates.take(caller())
    rates.take(caller(actor="bob"))
    rates.take(caller(actor="eve"))
    with pytest.raises(RateIsExceeded, match=r"tenant acme may send 1\.5 requests"):
        rates.take(caller(actor="dan"))
    rates.take(caller(tenant="other"))
    free = Rates()
    for _ in range(100):
        free.take(caller())


def test_too_many_are_told_when_to_come_back_before_their_bodies_are_read() -> None:
    world = ApiWorld()
    with world.client(rates=Rates(actor_per_s=0.25)) as api:
        assert api.get("/v1/metrics").status_code == 200
        refused = api.post("/v1/programs", content=b"{", headers={"Content-Type": "x"})
        assert (refused.status_code, refused.json()["code"]) == (429, "rate.exceeded")
        assert 1 <= int(refused.headers["Retry-After"]) <= 4
        assert api.get("/healthz").status_code == 200
        assert api.get("/v1/metrics", headers={"X-Stratal-Actor": "bob"}).status_code == 200
