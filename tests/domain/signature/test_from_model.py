"""Signatures of pydantic models: what they derive, and how deep."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, SecretStr, create_model

from domain.signature.classes import Probability
from domain.signature.errors import InvalidSignature
from domain.signature.from_model import from_model
from domain.signature.syntax import render


class Country(BaseModel):
    code: str


class Author(BaseModel):
    name: str = Field(description="Who wrote it.")
    email: SecretStr
    password: str = Field(exclude=True)
    country: Country
    posts: "list[Post]" = []


class Post(BaseModel):
    id: UUID
    title: str = Field(min_length=1, max_length=80)
    content: Annotated[str, Field(alias="body")]
    rating: Decimal = Field(ge=Decimal(0), le=Decimal(5), default=Decimal(3))
    written_at: datetime = Field(gt=datetime(2000, 1, 1))  # noqa: DTZ001 - a bound of no meaning here
    author: Author
    sure: Probability = 0.5
    summary: str | None = None
    keywords: list[str] = Field(default_factory=list, max_length=5)


@pytest.mark.feature("SIG-31")
def test_sig_31_a_signature_of_a_model_has_its_fields() -> None:
    spec = from_model(
        Post, inputs=["title", "body", "rating"], outputs=["summary", "keywords", "sure"]
    )
    assert render(spec) == (
        "title: string(min_length=1, max_length=80), body: string, "
        "rating?: float(ge=0, le=5) = 3.0"
        " -> summary?: optional[string], keywords?: list[string](max_items=5), sure?: probability"
    )


@pytest.mark.feature("SIG-31")
def test_sig_31_a_new_attribute_is_in_the_next_signature() -> None:
    before = from_model(Post, outputs=["summary"], instructions="Summarize.")
    longer = create_model("Post", __base__=Post, mood=(str, ...))
    after = from_model(longer, outputs=["summary"], instructions="Summarize.")
    names = [field.name for field in before.inputs]
    assert [field.name for field in after.inputs] == [*names, "mood"]
    assert "summary" not in names
    assert before.instructions == "Summarize."


@pytest.mark.feature("SIG-32")
def test_sig_32_a_relationship_is_an_object_of_its_public_attributes() -> None:
    spec = from_model(Post, inputs=["author"], outputs=["summary"])
    assert render(spec) == (
        'author: object{name: string "Who wrote it.", country: object{code: string}}'
        " -> summary?: optional[string]"
    )


@pytest.mark.feature("SIG-32")
def test_sig_32_the_depth_is_bounded() -> None:
    spec = from_model(Post, inputs=["author"], outputs=["summary"], levels=1)
    assert render(spec).startswith('author: object{name: string "Who wrote it."} -> ')
    with pytest.raises(InvalidSignature, match="There is no author"):
        from_model(Post, inputs=["author"], outputs=["summary"], levels=0)


def test_every_unknown_name_is_a_fault() -> None:
    with pytest.raises(InvalidSignature) as refused:
        from_model(Post, inputs=["title", "nothing"], outputs=["none"])
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/inputs/1", "field.unknown"),
        ("/outputs/0", "field.unknown"),
    ]


def test_a_side_without_fields_is_a_fault() -> None:
    with pytest.raises(InvalidSignature) as refused:
        from_model(Country, outputs=["code"])
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/inputs", "fields.none")
    ]
