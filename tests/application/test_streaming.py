"""The fields of an answer while it is being written: the same texts, however it is cut."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.streaming import NOBODY, FieldReader, Piece, Telling, nobody, pieces_of
from tests.support.histories import an_id
from tests.support.runs import key
from tests.support.streaming import Noted

HEADED = """[[ ## reasoning ## ]]
Because [1, 2] and
[3] are lists, and [[ ## this ## ]] heads nothing.

  [[ ## answer ## ]] forty-two

[[ ## answer ## ]]
forty-three

[[ ## completed ## ]]"""
FIELDS = {
    "reasoning": "Because [1, 2] and\n[3] are lists, and [[ ## this ## ]] heads nothing.",
    "answer": "forty-two",
}
OBJECT = {"plan": 'a "quoted"\n{plan}', "tags": ["a", {"b": 1}], "sure": True, "why": "é😀"}
SPELLED = {
    name: each if isinstance(each, str) else json.dumps(each) for name, each in OBJECT.items()
}

ANSWERS = {
    "headed": (HEADED, FIELDS),
    "object": (json.dumps(OBJECT), SPELLED),
    "fenced": (f"```json\n{json.dumps(OBJECT, indent=1)}\n```", SPELLED),
    "no object": ("```\nnothing\n```", {}),
    "no json": ("{plan: first}", {}),
    "no fields": ("I would rather not.", {}),
    "unfinished": ('{"plan": "first', {"plan": "first"}),
    "two objects": ('{"plan": "first"} {"plan": "second"}', {"plan": "first"}),
    "blank": (" \n ", {}),
    "ticks": ("``", {}),
}


def read(parts: Sequence[str]) -> dict[str, str]:
    reader = FieldReader()
    found = dict[str, str]()
    pieces = [piece for part in parts for piece in reader.read(part)]
    for field, offset, text in [*pieces, *reader.end()]:
        assert offset == len(found.get(field, ""))
        assert text
        found[field] = found.get(field, "") + text
    return found


def cut(text: str, at: Sequence[int]) -> list[str]:
    places = sorted({0, *at, len(text)})
    return [text[start:end] for start, end in pairwise(places)]


@pytest.mark.parametrize("kind", ANSWERS)
@given(data=st.data())
def test_however_an_answer_is_cut_its_fields_are_the_same(kind: str, data: st.DataObject) -> None:
    text, fields = ANSWERS[kind]
    at = data.draw(st.lists(st.integers(0, len(text))))
    assert read(cut(text, at)) == fields


def test_character_by_character_a_field_comes_before_the_next_one_begins() -> None:
    reader, seen = FieldReader(), list[Piece]()
    for character in HEADED[: HEADED.index("[3]")]:
        seen += reader.read(character)
    assert "".join(each.text for each in seen).startswith("Because [1, 2]")


@given(st.text(max_size=200))
def test_any_text_in_an_object_comes_whole(text: str) -> None:
    encoded = json.dumps({"answer": text})
    assert read(list(encoded)) == ({"answer": text} if text else {})


def test_a_very_long_object_is_told_at_its_end() -> None:
    reader = FieldReader()
    assert [each.offset for each in reader.read('{"answer": "a')] == [0]
    assert reader.read("b" * 40_000 + '"}') == []
    ((field, offset, text),) = reader.end()
    assert (field, offset, len(text)) == ("answer", 1, 40_000)


def test_the_pieces_of_a_whole_answer_are_its_fields() -> None:
    assert list(pieces_of(HEADED)) == [Piece(name, 0, text) for name, text in FIELDS.items()]
    assert list(pieces_of("")) == []


def test_a_call_that_is_tried_again_is_told_from_its_beginning() -> None:
    audience = Noted()
    telling = Telling(audience, key("a"), "plan")
    telling.heard('{"plan": "fir')
    telling.again()
    telling.heard('{"plan": "second\ud800')
    assert audience.told == [
        (key("a"), "plan", None),
        (key("a"), "plan", Piece("plan", 0, "fir")),
        (key("a"), "plan", Piece("plan", 0, "second\ufffd")),
    ]


def test_nobody_hears_anything() -> None:
    audience = nobody(an_id("x"))
    assert audience is NOBODY
    assert not audience.listens
    audience.began(key("a"), "plan")
    audience.said(key("a"), "plan", Piece("plan", 0, "first"))
