"""A leaf holds every column of an event, and no two events have the same."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.notary.verifier.leaves import Event, from_line, leaf, to_line

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
_NUMBERS = st.integers(1 - 2**63, 2**63 - 1)
_IDS = st.binary(min_size=16, max_size=16)
EVENTS = st.builds(
    Event,
    position=_NUMBERS,
    originator_id=_IDS,
    originator_version=_NUMBERS,
    topic=_TEXT,
    state=st.binary(max_size=40) | _TEXT.map(str.encode),
    event_id=_IDS,
    tenant=_TEXT,
    metadata=_TEXT,
    recorded_at_us=_NUMBERS,
)
EVENT = Event(
    17, bytes(range(16)), 3, "program.deployed", b'{"a":1}', bytes(16), "acme", "{}", 1_900_000
)


def test_the_leaf_is_every_column_after_its_length() -> None:
    told, rest = [], leaf(EVENT)
    while rest:
        [size] = struct.unpack_from(">I", rest)
        told.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    assert told == [
        (17).to_bytes(8, "big"),
        bytes(range(16)),
        (3).to_bytes(8, "big"),
        b"program.deployed",
        b'{"a":1}',
        bytes(16),
        b"acme",
        b"{}",
        (1_900_000).to_bytes(8, "big"),
    ]


@given(EVENTS, EVENTS)
def test_two_events_have_two_leaves(one: Event, other: Event) -> None:
    assert (leaf(one) == leaf(other)) == (one == other)


@given(st.tuples(_TEXT, _TEXT), st.integers(0, 20))
def test_nothing_shifts_from_one_column_to_the_next(texts: tuple[str, str], cut: int) -> None:
    both = "".join(texts)
    one = EVENT._replace(tenant=texts[0], metadata=texts[1])
    other = EVENT._replace(tenant=both[:cut], metadata=both[cut:])
    assert (leaf(one) == leaf(other)) == (one == other)


@given(EVENTS)
def test_a_line_tells_the_event_exactly(event: Event) -> None:
    assert from_line(to_line(event)) == event
    assert "\n" not in to_line(event)


def test_a_state_that_is_text_can_be_read_in_its_line() -> None:
    assert json.loads(to_line(EVENT))["state"] == '{"a":1}'
    assert json.loads(to_line(EVENT._replace(state=b"\xff")))["state_base64"] == "/w=="


def changed(**columns: Any) -> str:
    told = {**json.loads(to_line(EVENT)), **columns}
    left = {name: value for name, value in told.items() if value is not ...}
    return json.dumps(left, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{",
        changed(actor="mallory"),
        changed(topic=...),
        changed(topic=["p"]),
        changed(position=True),
        changed(position=17.0),
        changed(position=2**63),
        changed(originator_id="00" * 20),
        changed(originator_id="00" * 16),
        changed(event_id="no id"),
        to_line(EVENT).replace(":", ": ", 1),
        to_line(EVENT).replace('"tenant":"acme"', '"tenant":"evil","tenant":"acme"'),
        to_line(EVENT).replace("acme", "\\ud800"),
    ],
)
def test_a_line_that_says_something_else_is_refused(line: str) -> None:
    """People read lines, so a line must not say more than is signed."""
    with pytest.raises(ValueError, match=r".+"):
        from_line(line)
