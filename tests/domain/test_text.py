"""No text or JSON value that a reader would choke on gets in."""

import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError

from domain.text import (
    MAX_DEPTH,
    JsonObject,
    LongText,
    Name,
    SafeJson,
    SafeText,
    escape,
    json_faults,
    mended,
    storable,
)


class Body(BaseModel):
    text: SafeText = ""
    long: LongText = ""
    name: Name = "name"
    value: SafeJson = None
    fields: JsonObject = {}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "a\x00b"}, "text.unsafe"),
        ({"text": "a\ud800b"}, "text.unsafe"),
        ({"long": "\udfff"}, "text.unsafe"),
        ({"long": "é" * 32_769}, "text.too_long"),
        ({"name": "a/b"}, "name.characters"),
        ({"name": "."}, "name.characters"),
        ({"name": " .. "}, "name.characters"),
        ({"name": "a\nb"}, "name.characters"),
        ({"name": "é" * 101}, "name.too_long"),
        ({"name": "00000000-0000-0000-0000-000000000000"}, "name.is_an_id"),
        ({"name": "   "}, "string_too_short"),
        ({"value": ["\x00"]}, "text.unsafe"),
        ({"value": float("nan")}, "json.not_finite"),
        ({"value": {"a": float("-inf")}}, "json.not_finite"),
        ({"value": 10**4000}, "json.integer_too_long"),
        ({"value": -(10**5000)}, "json.integer_too_long"),
        ({"value": nested(65)}, "json.too_deep"),
        ({"value": nested(100_000)}, "json.too_deep"),
        ({"value": b"bytes"}, "json.not_json"),
        ({"fields": {"\ud800": 1}}, "text.unsafe"),
        ({"fields": {"a": {1: 2}}}, "json.key"),
        ({"fields": [1]}, "dict_type"),
    ],
)
def test_what_cannot_be_stored_is_refused(body: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate(body)
    assert [error["type"] for error in refused.value.errors()] == [code]


@pytest.mark.parametrize(
    "body",
    [
        {"text": "naïve 😀 \n"},
        {"long": "a" * 65_536},
        {"name": "Ticket router, v2"},
        {"value": nested(64)},
        {"value": 10**4000 - 1},
        {"fields": {"a": [True, None, 1.5, "x"]}},
    ],
)
def test_what_can_be_stored_passes_unchanged(body: dict[str, Any]) -> None:
    assert Body.model_validate(body).model_dump(include=set(body)) == body


def test_a_name_is_trimmed() -> None:
    assert TypeAdapter(Name).validate_python("  router ") == "router"


def test_every_fault_is_named_with_its_pointer() -> None:
    faults = json_faults({"a/b": ["\x00", float("inf")], "c~": {1: 2}}, "/inputs")
    assert {(fault.pointer, fault.code) for fault in faults} == {
        ("/inputs/a~1b/0", "text.unsafe"),
        ("/inputs/a~1b/1", "json.not_finite"),
        ("/inputs/c~0", "json.key"),
    }


def test_a_pointer_to_an_unsafe_name_can_be_shown() -> None:
    assert escape("a/\ud800~\x00") == "a~1\ufffd~0\ufffd"


def test_a_model_is_guarded_as_a_whole() -> None:
    class Inner(BaseModel):
        texts: tuple[str, ...] = ()

    guarded: TypeAdapter[Inner] = TypeAdapter(Annotated[Inner, AfterValidator(storable)])
    assert guarded.validate_python({"texts": ["a"]}) == Inner(texts=("a",))
    with pytest.raises(ValidationError) as refused:
        guarded.validate_python({"texts": ["a", "\ud800"]})
    [error] = refused.value.errors()
    assert (error["type"], error["ctx"]["pointer"]) == ("text.unsafe", "/texts/1")


def test_what_a_model_said_is_mended() -> None:
    said = {"a\x00": ["b\ud800", float("nan"), 10**4000, True, 1.5], "deep": nested(MAX_DEPTH)}
    assert mended(said)["a\ufffd"] == ["b\ufffd", None, None, True, 1.5]
    assert not list(json_faults(mended(said)))


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
)


@given(values)
def test_a_value_without_faults_can_be_written_and_a_mended_one_has_none(value: Any) -> None:
    if not list(json_faults(value)):
        assert json.loads(json.dumps(value, allow_nan=False).encode()) == mended(value) == value
        json.dumps(value, ensure_ascii=False).encode()
    assert not list(json_faults(mended(value)))
