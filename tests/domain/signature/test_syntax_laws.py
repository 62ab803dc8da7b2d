"""What holds for every signature: it is read back as it was written; no text breaks the parser."""

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.errors import Fault, InvalidError
from domain.signature.constraints import Constraints
from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.hashing import content_hash
from domain.signature.rules import accepted
from domain.signature.syntax import parse, render
from domain.signature.types import (
    HISTORY,
    INTEGER,
    MEDIA,
    PRIMITIVES,
    STRING,
    CodeOf,
    ConstrainedOf,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    ObjectOf,
    OptionalOf,
    UnionOf,
    normal,
)
from domain.signature.validation import validate_inputs

T = TypeVar("T")

words = st.lists(
    st.text(min_size=1, max_size=20).filter(lambda it: it.strip() and "\x00" not in it),
    min_size=1,
    max_size=5,
    unique=True,
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}_x", fullmatch=True).filter(
    lambda it: not it.startswith("model_")
)
texts = st.none() | st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=40)
spoken = [it for name, it in PRIMITIVES.items() if name not in {*MEDIA, HISTORY}]
low, high = st.integers(-9, 0) | st.floats(-9, 0), st.integers(1, 9) | st.floats(1, 9)
small, large = st.integers(0, 3), st.integers(4, 9)
between = st.fixed_dictionaries({}, optional={"gt": low, "le": high})
lengths = st.fixed_dictionaries(
    {}, optional={"min_length": small, "max_length": large, "pattern": st.just(r"^[a-z\"]+\.?$")}
)
counts = st.fixed_dictionaries({}, optional={"min_items": small, "max_items": large})


FieldTypes = st.SearchStrategy[FieldType]


def within(of: FieldTypes, bounds: st.SearchStrategy[dict[str, Any]]) -> FieldTypes:
    return st.builds(ConstrainedOf, of=of, constraints=bounds.map(Constraints.model_validate))


leaves: FieldTypes = (
    st.sampled_from(spoken)
    | st.builds(EnumOf, values=words.map(tuple))
    | st.builds(CodeOf, language=st.sampled_from(["python", "c++", "F#"]))
    | within(st.just(PRIMITIVES["float"]), between)
    | within(st.just(STRING), lengths)
    | within(st.just(PRIMITIVES["reasoning_chain"]), counts)
)


def objects(inner: FieldTypes) -> FieldTypes:
    fields = st.builds(
        FieldSpec, name=names, type=inner, description=texts, optional=st.booleans()
    ) | st.builds(FieldSpec, name=names, type=st.just(PRIMITIVES["float"]), default=small)
    listed = st.lists(fields, min_size=1, max_size=3, unique_by=lambda field: field.name)
    return st.builds(ObjectOf, fields=listed.map(tuple))


types: FieldTypes = st.recursive(
    leaves,
    lambda inner: (
        st.builds(ListOf, item=inner)
        | st.builds(DictOf, key=st.sampled_from([STRING, INTEGER]), value=inner)
        | st.builds(OptionalOf, of=inner)
        | st.builds(UnionOf, options=st.lists(inner, min_size=2, max_size=3).map(tuple))
        | objects(inner)
        | within(st.builds(ListOf, item=inner), counts)
    ),
    max_leaves=5,
)
contents = st.sampled_from([PRIMITIVES[name] for name in sorted(MEDIA)])
plain = st.builds(FieldSpec, name=names, type=types, description=texts, optional=st.booleans())
seen = st.builds(
    FieldSpec,
    name=names,
    type=contents | st.builds(ListOf, item=contents),
    description=texts,
    optional=st.booleans(),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
defaulted = st.builds(
    FieldSpec, name=names, type=st.just(PRIMITIVES["any"]), description=texts, default=json_values
)


@st.composite
def signatures(draw: st.DrawFn) -> SignatureSpec:
    fields = draw(
        st.lists(
            plain | seen | defaulted, min_size=1, max_size=4, unique_by=lambda field: field.name
        )
    )
    taken = {field.name for field in fields}
    outputs = draw(
        st.lists(
            plain.filter(lambda field: field.name not in taken),
            min_size=1,
            max_size=3,
            unique_by=lambda field: field.name,
        )
    )
    spec = SignatureSpec(inputs=tuple(fields), outputs=tuple(outputs), instructions=draw(texts))
    return accepted(spec)


@settings(deadline=None, max_examples=100)
@given(signatures())
def test_reading_what_was_written_gives_the_same_signature(spec: SignatureSpec) -> None:
    assert parse(render(spec)) == spec
    assert content_hash(parse(render(spec))) == content_hash(spec)


@settings(deadline=None, max_examples=100)
@given(signatures())
def test_an_accepted_signature_survives_json_and_is_accepted_unchanged(spec: SignatureSpec) -> None:
    again = SignatureSpec.model_validate_json(spec.model_dump_json())
    assert accepted(again) == again == spec


@given(types)
def test_a_normal_type_is_in_normal_form(type: FieldType) -> None:
    assert normal(normal(type)) == normal(type)


ALPHABET = "ab :,->?=[]{}|'\"\\u0\n"
PIECES = [
    "->", ",", ":", "?", "=", "|", "[", "]", "{", "}", "a", "b_1", "signature", "list", "{:array,",
    "{:map,", "enum", "Literal", "optional", "union", "None", ":string", "int", "probability",
    "'x'", '"y"', "'", '"', "\\", "3", "(", ")", "ge", "pattern", "object", "code", "do", "input",
    "output", "end", "desc", "image", "history",
    "-1.5e9", "1e999", "true", "null", "\n", " ", "é", "\x00",
]  # fmt: skip


@pytest.mark.feature("SIG-30")
@settings(deadline=None, max_examples=2000)
@given(
    st.text()
    | st.text(ALPHABET, max_size=40)
    | st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
    | st.lists(st.sampled_from(PIECES), max_size=20).map(" ".join)
    | st.text(st.characters(codec=None))
)
@example("a: float = 1e999 -> b")
@example("\ud800 -> b")
@example("a = '\\ud800\\udc00' -> b")
def test_sig_30_any_text_gives_a_signature_or_a_typed_error(text: str) -> None:
    spec, faults = tried(lambda: parse(text))
    if spec is not None:
        assert parse(render(spec)) == spec
    else:
        assert faults
        assert all(fault.code and fault.message for fault in faults)


@pytest.mark.feature("SIG-30")
def test_sig_30_ten_thousand_random_strings_give_a_signature_or_a_typed_error() -> None:
    numbers = random.Random(30)
    whole = 0
    for _ in range(10_000):
        pieces = numbers.choices(PIECES, k=numbers.randrange(16))
        text = numbers.choice(["", " "]).join(pieces)
        text += numbers.choice(["", "", " -> b", chr(numbers.randrange(0x11000))])
        spec, faults = tried(functools.partial(parse, text))
        whole += spec is not None
        assert (spec is None) == bool(faults)
    assert whole > 100


@settings(deadline=None, max_examples=100)
@given(signatures(), st.data(), st.booleans())
def test_any_values_fit_or_are_refused_with_a_typed_error(
    spec: SignatureSpec, data: st.DataObject, strict: bool
) -> None:
    values = data.draw(st.fixed_dictionaries({field.name: json_values for field in spec.inputs}))
    valid, faults = tried(lambda: validate_inputs(spec, values, strict=strict))
    if valid is not None:
        assert valid.keys() == values.keys()
        assert validate_inputs(spec, valid) == valid
    else:
        assert {fault.pointer.split("/")[1] for fault in faults} <= values.keys()


def tried(act: Callable[[], T]) -> tuple[T | None, Sequence[Fault]]:
    """What *act* gives, or the faults of its typed refusal; any other exception is a failure."""
    try:
        return act(), ()
    except InvalidError as error:
        return None, error.faults


def test_the_generated_names_can_be_refused() -> None:
    with pytest.raises(InvalidSignature):
        accepted(SignatureSpec(inputs=(FieldSpec(name="a"),), outputs=(FieldSpec(name="a"),)))
