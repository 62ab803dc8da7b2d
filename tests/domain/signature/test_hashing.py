"""Equal content has one digest, however it was written."""

import pytest

from domain.signature.fields import SignatureSpec
from domain.signature.hashing import content_hash
from domain.signature.rules import accepted
from domain.signature.syntax import parse


@pytest.mark.feature("SIG-03")
def test_sig_03_text_and_json_of_one_signature_hash_alike() -> None:
    data = {
        "inputs": [
            {"name": "question"},
            {
                "name": "k",
                "type": {"kind": "primitive", "name": "float"},
                "default": 1,
                "description": "how many",
            },
        ],
        "outputs": [
            {
                "name": "answer",
                "type": {"kind": "list", "item": {"kind": "primitive", "name": "string"}},
            }
        ],
        "instructions": "Be brief.",
    }
    text = '"Be brief." question, k?: float = 1.0 "how many" -> answer: {:array, :string}'
    assert content_hash(accepted(SignatureSpec.model_validate(data))) == content_hash(parse(text))


@pytest.mark.feature("SIG-16")
def test_sig_16_the_spellings_of_a_list_hash_alike() -> None:
    texts = ("a -> b: {:array, :string}", "a -> b: list[string]", "a: str -> b: list[str]")
    assert len({content_hash(parse(text)) for text in texts}) == 1


def test_whatever_differs_in_content_differs_in_hash() -> None:
    texts = [
        "a, b -> c", "b, a -> c", "a, b -> d", "a, b: int -> c", "a, b? -> c", "a, b = 'x' -> c",
        "a, b = null -> c", "a 'x', b -> c", "'x' a, b -> c", "a -> b, c", "a, b -> c?",
        "a, b: any = 1 -> c", "a, b: any = true -> c", "a, b: any = '1' -> c",
    ]  # fmt: skip
    assert len({content_hash(parse(text)) for text in texts}) == len(texts)


def test_the_digest_is_stable() -> None:
    """It is stored: a change of this value is a change of every stored signature."""
    assert content_hash(parse("question -> answer")) == (
        "b67c224c27b18247dc25ce6a99ca8ecb5f0f239f3b6a3d5af2ab9aa6977a847a"
    )
