"""Signatures as Python classes: the same signature as a text or JSON says."""

from enum import StrEnum
from typing import Annotated, Any, Literal, NewType, Optional

import pytest
from annotated_types import Len
from pydantic import BaseModel, Field

from domain.signature.classes import (
    Audio,
    Code,
    ConfidenceScore,
    Embedding,
    File,
    History,
    Image,
    Input,
    Output,
    Probability,
    ReasoningChain,
    Signature,
    TokenCount,
)
from domain.signature.errors import InvalidSignature
from domain.signature.fields import SignatureSpec
from domain.signature.hashing import content_hash
from domain.signature.rules import accepted
from domain.signature.syntax import parse, render


class BasicQA(Signature):
    """Answer the question.

    In one sentence.
    """

    question: str = Input(desc="The question to answer")
    tone: str = Input(default="dry")
    note: str = Input(optional=True)
    answer: str = Output(desc="The answer to the question")
    sure: Probability = Output(optional=True)


@pytest.mark.feature("SIG-20")
def test_sig_20_class_text_and_json_hash_alike() -> None:
    text = (
        '"Answer the question.\\n\\nIn one sentence." question "The question to answer", '
        "tone = 'dry', note? -> answer \"The answer to the question\", sure?: probability"
    )
    json = {
        "inputs": [
            {"name": "question", "description": "The question to answer"},
            {"name": "tone", "default": "dry"},
            {"name": "note", "optional": True},
        ],
        "outputs": [
            {"name": "answer", "description": "The answer to the question"},
            {
                "name": "sure",
                "type": {"kind": "primitive", "name": "probability"},
                "optional": True,
            },
        ],
        "instructions": "Answer the question.\n\nIn one sentence.",
    }
    forms = [BasicQA.spec(), parse(text), accepted(SignatureSpec.model_validate(json))]
    assert len({content_hash(spec) for spec in forms}) == 1


class Queue(StrEnum):
    BUG = "bug"
    BILLING = "billing"


class Street(BaseModel):
    name: str
    number: int = Field(3, ge=1, description="in the street")


Word = NewType("Word", str)


def as_text(annotation: Any, **bounds: Any) -> str:
    """How the type of an input with *annotation* is written."""
    body = {"__annotations__": {"a": annotation, "b": str}, "a": Input(**bounds), "b": Output()}
    spec = type("Made", (Signature,), body).spec()  # type: ignore[attr-defined]  # made at run time
    return render(spec).partition(" -> ")[0].removeprefix("a: ")


@pytest.mark.feature("SIG-20")
@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (str, "string"),
        (int, "integer"),
        (float, "float"),
        (bool, "boolean"),
        (Any, "any"),
        (list, "array"),
        (dict, "map"),
        (list[int], "list[integer]"),
        (tuple[int, ...], "list[integer]"),
        (dict[str, float], "dict[string, float]"),
        (Literal["a", "b"], 'enum["a", "b"]'),
        (Queue, 'enum["bug", "billing"]'),
        (Optional[str], "optional[string]"),  # noqa: UP045 - what somebody may write
        (str | None, "optional[string]"),
        (int | str, "union[integer, string]"),
        (Word, "string"),
        (Probability, "probability"),
        (ConfidenceScore, "confidence_score"),
        (ReasoningChain, "reasoning_chain"),
        (Embedding, "embedding"),
        (TokenCount, "token_count"),
        (Image, "image"),
        (list[Image], "list[image]"),
        (Audio, "audio"),
        (File, "file"),
        (History, "history"),
        (Code, 'code["python"]'),
        (Annotated[int, Field(ge=0, le=9)], "integer(ge=0, le=9)"),
        (Annotated[float, "a remark"], "float"),
        (Annotated[list[str], Len(1, 3)], "list[string](min_items=1, max_items=3)"),
        (
            Street,
            'object{name: string, number?: integer(ge=1) = 3 "in the street"}',
        ),
    ],
)
def test_sig_20_an_annotation_is_a_field_type(annotation: Any, written: str) -> None:
    assert as_text(annotation) == written


@pytest.mark.parametrize(
    ("annotation", "bounds", "written"),
    [
        (int, {"ge": 1}, "integer(ge=1)"),
        (str, {"min_length": 1, "pattern": "^a"}, 'string(min_length=1, pattern="^a")'),
        (list[str], {"min_items": 1}, "list[string](min_items=1)"),
        (Optional[int], {"lt": 3}, "optional[integer(lt=3)]"),  # noqa: UP045 - what is written
    ],
)
def test_bounds_stand_beside_the_description(
    annotation: Any, bounds: dict[str, Any], written: str
) -> None:
    assert as_text(annotation, **bounds) == written


class Loop(BaseModel):
    inner: Optional["Loop"] = None


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        (bytes, "type.unknown"),
        (Literal[1], "type.unknown"),
        (tuple[int, str], "type.unknown"),
        (object(), "type.unknown"),
        (Loop, "type.too_deep"),
        (type("Empty", (BaseModel,), {}), "fields.none"),
    ],
)
def test_an_annotation_without_a_counterpart_is_refused(annotation: Any, code: str) -> None:
    with pytest.raises(InvalidSignature) as refused:
        as_text(annotation)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/a", code)]


def test_a_class_without_outputs_is_refused_where_it_is_written() -> None:
    with pytest.raises(InvalidSignature, match="Half has no outputs"):

        class Half(Signature):
            a: str = Input()


def test_a_field_says_which_way_it_goes() -> None:
    with pytest.raises(InvalidSignature, match="a is neither"):

        class Loose(Signature):
            a: str
            b: str = Output()


def test_a_class_inherits_the_fields_of_its_base_but_not_its_words() -> None:
    class Longer(BasicQA):
        source: str = Output()

    spec = Longer.spec()
    assert [field.name for field in spec.outputs] == ["answer", "sure", "source"]
    assert spec.instructions is None
