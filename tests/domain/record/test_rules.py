"""What records hold, how patches change them, and where chains of calls end."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.record.rules import (
    MAX_DATA_BYTES,
    MAX_FIELDS,
    calls_of,
    changed_fields,
    data_faults,
    merged,
)
from domain.record.values import Call
from domain.text import MAX_NAME_BYTES

ID = uuid4()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_a_patch_merges_as_rfc_7396_has_it(target: Any, patch: Any, expected: Any) -> None:
    assert merged(target, patch) == expected


@given(OBJECTS, OBJECTS)
def test_to_patch_twice_is_to_patch_once_and_fields_not_named_stay(before: Any, patch: Any) -> None:
    after = merged(before, patch)
    assert isinstance(after, dict)
    assert merged(after, patch) == after
    assert set(changed_fields(before, after)) <= set(patch)
    assert changed_fields(after, after) == ()


def test_fields_differ_where_their_json_does() -> None:
    before: Any = {"a": 1, "b": 1, "c": [True], "d": {"x": 0}, "e": "same", "f": None}
    after: Any = {"a": True, "b": 1.0, "c": [1], "d": {"x": 0.0}, "e": "same", "g": None}
    assert changed_fields(before, after) == ("a", "b", "c", "d", "f", "g")


def test_a_record_holds_so_much_and_no_more() -> None:
    fine = {f"f{n}": 1 for n in range(MAX_FIELDS)}
    assert list(data_faults(fine, MAX_DATA_BYTES, "/data")) == []
    long = "ü" * MAX_NAME_BYTES
    faults = list(data_faults({long: 1, "a/b" * 99: 2}, MAX_DATA_BYTES + 1, "/data"))
    assert [fault.code for fault in faults] == ["record.too_large"] + ["name.too_long"] * 2
    assert faults[2].pointer.startswith("/data/a~1b")
    (many,) = data_faults({f"f{n}": 1 for n in range(MAX_FIELDS + 1)}, 9, "/data")
    assert (many.pointer, many.code) == ("/data", "record.too_many_fields")


def test_the_same_change_makes_the_same_calls() -> None:
    bindings = [(uuid4(), 3), (uuid4(), 1)]
    (first, again), (other, _) = (
        [calls_of(ID, version, bindings, None) for _ in range(2)] for version in (1, 2)
    )
    assert first == again
    calls, ended = first
    assert [(each.binding_id, each.binding_version, each.chain) for each in calls] == [
        (*binding, ()) for binding in bindings
    ]
    assert ended == ()
    assert not {each.execution_id for each in calls} & {each.execution_id for each in other[0]}


def test_nothing_calls_itself_and_nothing_is_called_twice_in_a_chain() -> None:
    one, two, three = ((uuid4(), 1) for _ in range(3))
    cause = _call(two[0], chain=(one[0],))
    calls, ended = calls_of(ID, 5, [one, two, three], cause)
    assert [each.binding_id for each in calls] == [three[0]]
    assert [each.binding_id for each in ended] == [one[0]]
    assert calls[0].chain == (one[0], two[0])


@given(st.integers(1, 6))
def test_a_chain_is_never_longer_than_there_are_bindings(number: int) -> None:
    bindings = [(uuid4(), 1) for _ in range(number)]
    waiting, rounds = list(calls_of(ID, 1, bindings[:1], None)[0]), 0
    while waiting:
        rounds += 1
        waiting = list(calls_of(ID, rounds + 1, bindings, waiting[0])[0])
    assert rounds == number


def _call(binding_id: UUID, *, chain: tuple[UUID, ...] = ()) -> Call:
    return Call(execution_id=uuid4(), binding_id=binding_id, binding_version=1, chain=chain)
