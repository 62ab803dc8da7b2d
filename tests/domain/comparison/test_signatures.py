"""What differs between two signatures, and whom it concerns."""

import pytest
from hypothesis import given, settings

from domain.comparison.signatures import compare_signatures
from domain.comparison.values import Change, ChangeKind, Severity, gravest
from domain.signature.fields import SignatureSpec
from domain.signature.syntax import parse
from tests.domain.signature.test_syntax_laws import signatures

BREAKING, COMPATIBLE, COSMETIC = Severity


def compared(before: str, after: str) -> list[Change]:
    return compare_signatures(parse(before), parse(after))


@given(signatures())
def test_a_signature_and_itself_do_not_differ(spec: SignatureSpec) -> None:
    assert compare_signatures(spec, spec.model_copy()) == []


@settings(max_examples=200)
@given(signatures(), signatures())
def test_signatures_that_differ_have_changes(one: SignatureSpec, other: SignatureSpec) -> None:
    found = compare_signatures(one, other)
    assert (found == []) is (one == other)
    assert all(each.sentence.endswith(".") for each in found)


@pytest.mark.parametrize(
    ("before", "after", "kind", "severity", "pointer"),
    [
        ("a -> b", "a, c -> b", "field_added", BREAKING, "/inputs/1"),
        ("a -> b", "a, c? -> b", "field_added", COMPATIBLE, "/inputs/1"),
        ("a -> b", "a, c: int = 1 -> b", "field_added", COMPATIBLE, "/inputs/1"),
        ("a -> b", "a -> b, c", "field_added", COMPATIBLE, "/outputs/1"),
        ("a, c: int -> b", "a -> b", "field_removed", BREAKING, "/inputs/1"),
        ("a -> b, c: int", "a -> b", "field_removed", BREAKING, "/outputs/1"),
        ("a -> b", "x -> b", "field_renamed", BREAKING, "/inputs/0/name"),
        ("a, c -> b", "c, a -> b", "fields_reordered", COMPATIBLE, "/inputs"),
        ("a: int -> b", "a: float -> b", "type_widened", COMPATIBLE, "/inputs/0/type"),
        ("a: float -> b", "a: int -> b", "type_narrowed", BREAKING, "/inputs/0/type"),
        ("a -> b: int", "a -> b: float", "type_widened", BREAKING, "/outputs/0/type"),
        ("a -> b: float", "a -> b: int", "type_narrowed", COMPATIBLE, "/outputs/0/type"),
        ("a: any -> b", "a: int -> b", "type_narrowed", BREAKING, "/inputs/0/type"),
        ("a: list[int] -> b", "a: array -> b", "type_widened", COMPATIBLE, "/inputs/0/type"),
        ("a: int -> b", "a: bool -> b", "type_changed", BREAKING, "/inputs/0/type"),
        ("a: list[any] -> b", "a: array -> b", "type_respelled", COSMETIC, "/inputs/0/type"),
        (
            "a: string(max_length=9) -> b",
            "a: string(max_length=5) -> b",
            "constraint_tightened",
            BREAKING,
            "/inputs/0/type",
        ),
        (
            "a: string(max_length=5) -> b",
            "a: string(max_length=9) -> b",
            "constraint_loosened",
            COMPATIBLE,
            "/inputs/0/type",
        ),
        ("a -> b", "a -> b?", "became_optional", BREAKING, "/outputs/0/optional"),
        ("a, c? -> b", "a, c -> b", "became_required", BREAKING, "/inputs/1/optional"),
        ("a, c -> b", "a, c? -> b", "became_optional", COMPATIBLE, "/inputs/1/optional"),
        ("a: int = 1 -> b", "a: int = 2 -> b", "default_changed", COMPATIBLE, "/inputs/0/default"),
        ("a? -> b", 'a = "x" -> b', "default_changed", COMPATIBLE, "/inputs/0/default"),
        ('a = "x" -> b', "a? -> b", "default_changed", COMPATIBLE, "/inputs/0/default"),
        ('a "One." -> b', 'a "Two." -> b', "description_changed", COMPATIBLE,
         "/inputs/0/description"),
        ('"One." a -> b', '"Two." a -> b', "instructions_changed", COMPATIBLE, "/instructions"),
    ],
)  # fmt: skip
def test_every_change_is_found_and_weighed(
    before: str, after: str, kind: ChangeKind, severity: Severity, pointer: str
) -> None:
    (change,) = compared(before, after)
    assert (change.kind, change.severity, change.pointer) == (kind, severity, pointer)


def test_a_changed_text_is_shown_line_by_line() -> None:
    spec = parse("a -> b")
    old, new = (
        spec.model_copy(update={"instructions": text}) for text in ("One.\nTwo.", "One.\n3.")
    )
    (change,) = compare_signatures(old, new)
    assert change.diff == ("@@ -1,2 +1,2 @@", " One.", "-Two.", "+3.")


def test_two_fields_that_could_be_meant_are_no_renaming() -> None:
    kinds = {each.kind for each in compared("a, c -> b", "x, y -> b")}
    assert kinds == {ChangeKind.FIELD_ADDED, ChangeKind.FIELD_REMOVED}


def test_the_gravest_change_decides() -> None:
    assert gravest(compared("a -> b", "a -> b, c")) is COMPATIBLE
    assert gravest(compared("a -> b", "a, c -> b, d")) is BREAKING
    assert gravest([]) is None
