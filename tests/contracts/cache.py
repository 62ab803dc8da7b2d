"""What every cache promises. A subclass gives ``cache``."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from application.caching import Debt, Kept, KeptTexts
from application.context import Context, within
from domain.values import RunRef
from tests.support.runs import key, ref


def on_behalf_of(tenant: str) -> Context:
    return Context(tenant=tenant, actor="tester", correlation_id=uuid4())


def kept(name: str) -> Kept:
    return Kept(ref(name), RunRef(kind="execution", id=uuid4()))


def owed(cache: KeptTexts, name: str, *, tenant: str = "acme", within_s: float = 60) -> Debt:
    """The duty to make *name*, which nobody has kept."""
    taken = took(cache, name, tenant=tenant, within_s=within_s)
    assert taken is not None
    assert not isinstance(taken, Kept)
    return taken


def took(
    cache: KeptTexts, name: str, *, tenant: str = "acme", within_s: float = 60
) -> Kept | Debt | None:
    with within(on_behalf_of(tenant)):
        return cache.take(key(name), within_s=within_s)


def settle(debt: Debt, kept: Kept | None, *, tenant: str = "acme") -> None:
    with within(on_behalf_of(tenant)):
        debt.settle(kept)


class CacheContract:
    @pytest.fixture
    def cache(self) -> KeptTexts:
        raise NotImplementedError

    def test_what_was_kept_is_found_with_the_run_it_came_from(self, cache: KeptTexts) -> None:
        text = kept("a text")
        settle(owed(cache, "one"), text)
        assert took(cache, "one") == text

    @pytest.mark.feature("CCH-08")
    def test_cch_08_one_tenant_never_finds_what_another_kept(self, cache: KeptTexts) -> None:
        text = kept("a text of acme")
        settle(owed(cache, "one"), text)
        settle(owed(cache, "one", tenant="globex"), None, tenant="globex")
        assert took(cache, "one") == text

    @pytest.mark.feature("CCH-07")
    def test_cch_07_what_came_to_nothing_is_not_kept_and_the_next_one_makes_it(
        self, cache: KeptTexts
    ) -> None:
        settle(owed(cache, "one"), None)
        settle(owed(cache, "one"), None)

    @pytest.mark.feature("CCH-09")
    def test_cch_09_of_fifty_who_ask_at_once_one_makes_it(self, cache: KeptTexts) -> None:
        text, begun = kept("a text"), threading.Barrier(50)

        def ask(_: int) -> Kept | Debt | None:
            begun.wait()
            taken = took(cache, "one")
            if taken is None or isinstance(taken, Kept):
                return taken
            settle(taken, text)
            return taken

        with ThreadPoolExecutor(50) as threads:
            taken = list(threads.map(ask, range(50)))
        assert sum(each == text for each in taken) == 49
        assert took(cache, "one") == text

    def test_who_waits_in_vain_makes_it_and_owes_nothing(self, cache: KeptTexts) -> None:
        debt = owed(cache, "one")
        assert took(cache, "one", within_s=0.02) is None
        settle(debt, None)

    def test_who_waited_for_what_came_to_nothing_makes_it(self, cache: KeptTexts) -> None:
        debt = owed(cache, "one")
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(took, cache, "one")
            settle(debt, None)
            taken = waiting.result(30)
        if taken is not None:  # it asked when nobody made it any more
            assert not isinstance(taken, Kept)
            settle(taken, None)
