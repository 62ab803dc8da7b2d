"""Signatures of tables: columns become fields, what they refer to becomes objects."""

import pytest

from domain.signature.errors import InvalidSignature
from domain.signature.from_table import Column, Table, from_table
from domain.signature.syntax import render

PEOPLE = Table(
    "people",
    (
        Column("id", "uuid", True),
        Column("name", "character varying", True, "As on the door.", 80),
        Column("_secret", "text", True),
    ),
    "Who writes.",
)
POSTS = Table(
    "posts",
    (
        Column("id", "bigint", True),
        Column("title", "text", True, "The headline."),
        Column("author_id", "uuid", True, refers_to=PEOPLE),
        Column("editor", "uuid", False, refers_to=PEOPLE),
        Column("tags", "text[]", False),
        Column("codes", "character varying[]", True, max_length=3),
        Column("mood", "mood", True, words=("glad", "sad")),
        Column("moods", "mood[]", True, words=("glad", "sad")),
        Column("rating", "numeric", False),
        Column("extra", "jsonb", False),
        Column("written_at", "timestamp with time zone", True),
        Column("picture", "bytea", False),
        Column("nothing_id", "uuid", True, refers_to=Table("nothing", ())),
    ),
)


def inputs_of(*names: str) -> str:
    spec = from_table(POSTS, inputs=names, outputs=["rating"])
    return render(spec).partition(" -> ")[0]


@pytest.mark.feature("SIG-31")
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("id", "id: integer"),
        ("title", 'title: string "The headline."'),
        ("tags", "tags?: list[string]"),
        ("codes", "codes: list[string(max_length=3)]"),
        ("mood", 'mood: enum["glad", "sad"]'),
        ("moods", 'moods: list[enum["glad", "sad"]]'),
        ("extra", "extra?: any"),
        ("written_at", "written_at: string"),
        ("author_id", "author_id: string"),
        ("editor", "editor?: string"),
    ],
)
def test_sig_31_a_column_is_a_field(name: str, written: str) -> None:
    assert inputs_of(name) == written


@pytest.mark.feature("SIG-32")
def test_sig_32_a_column_that_refers_to_a_table_is_an_object_of_its_public_columns() -> None:
    assert inputs_of("author") == (
        'author: object{id: string, name: string(max_length=80) "As on the door."} "Who writes."'
    )


@pytest.mark.feature("SIG-31")
def test_sig_31_what_is_no_output_is_an_input() -> None:
    spec = from_table(POSTS, outputs=["rating"], instructions="Rate it.")
    assert [field.name for field in spec.inputs] == [
        "id", "title", "author_id", "author", "editor", "tags", "codes", "mood", "moods", "extra",
        "written_at", "nothing_id",
    ]  # fmt: skip
    assert spec.instructions == "Rate it."


@pytest.mark.parametrize("name", ["_secret", "picture", "nothing", "missing"])
def test_what_cannot_be_shown_is_no_field(name: str) -> None:
    with pytest.raises(InvalidSignature, match=f"There is no {name}"):
        inputs_of(name)
