"""What every payload store promises. A subclass gives ``keep`` and ``store`` of one adapter."""

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from application.context import Context, within
from application.errors import PayloadIsMissing
from application.payloads import Payload
from application.ports import PayloadStore

Keep = Callable[[str, Sequence[Payload]], None]
"""Stores payloads for a tenant, as an append does."""

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
_JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(_TEXTS, inner, max_size=8),
    max_leaves=20,
)


def on_behalf_of(tenant: str) -> Context:
    return Context(tenant=tenant, actor="tester", correlation_id=UUID(int=1))


class PayloadStoreContract:
    @pytest.fixture
    def keep(self) -> Keep:
        raise NotImplementedError

    @pytest.fixture
    def store(self) -> PayloadStore:
        raise NotImplementedError

    def test_several_are_read_at_once_and_what_is_not_there_is_left_out(
        self, keep: Keep, store: PayloadStore
    ) -> None:
        one, two, theirs = (Payload.of({"text": text}) for text in ("one", "two", "theirs"))
        keep("acme", [one, two])
        keep("other", [theirs])
        asked = [two.ref, theirs.ref, one.ref, one.ref, Payload.of("never stored").ref]
        with within(on_behalf_of("acme")):
            found = store.several(asked)
            assert store.several([]) == {}
        assert found == {one.ref.digest: {"text": "one"}, two.ref.digest: {"text": "two"}}

    @given(content=_JSON)
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,  # texts do not meet: they are named by digest
            HealthCheck.differing_executors,  # each adapter runs the contract in a class of its own
            HealthCheck.too_slow,
        ],
    )
    def test_what_was_kept_is_read_again(
        self, keep: Keep, store: PayloadStore, content: JsonValue
    ) -> None:
        payload = Payload.of(content)
        keep("acme", [payload])
        with within(on_behalf_of("acme")):
            assert store.get(payload.ref) == content

    def test_a_long_text_is_read_again(self, keep: Keep, store: PayloadStore) -> None:
        payload = Payload.of({"prompt": "Which queue? " * 100_000})
        keep("acme", [payload])
        with within(on_behalf_of("acme")):
            assert store.get(payload.ref) == {"prompt": "Which queue? " * 100_000}

    def test_one_tenant_never_reads_what_another_kept(
        self, keep: Keep, store: PayloadStore
    ) -> None:
        payload = Payload.of("a secret of acme")
        keep("acme", [payload])
        with within(on_behalf_of("globex")), pytest.raises(PayloadIsMissing):
            store.get(payload.ref)

    def test_what_was_never_kept_is_missing(self, store: PayloadStore) -> None:
        with within(on_behalf_of("acme")), pytest.raises(PayloadIsMissing) as refused:
            store.get(Payload.of("never kept").ref)
        assert refused.value.digest == Payload.of("never kept").ref.digest

    def test_keeping_twice_is_keeping_once(self, keep: Keep, store: PayloadStore) -> None:
        payloads = [Payload.of("one"), Payload.of("two", subject="ada"), Payload.of("one")]
        keep("acme", payloads)
        keep("acme", payloads)
        with within(on_behalf_of("acme")):
            assert [store.get(each.ref) for each in payloads] == ["one", "two", "one"]

    def test_keeping_nothing_is_allowed(self, keep: Keep) -> None:
        keep("acme", [])
