"""Signatures are checked as RFC 8032 has it, and as the library does that makes them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.notary.verifier.ed25519 import ed25519_holds

ORDER = 2**252 + 27742317777372353535851937790883648493

# Of RFC 8032, section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard_hold(public: str, message: str, signature: str) -> None:
    key, text, signed = map(bytes.fromhex, (public, message, signature))
    assert ed25519_holds(key, text, signed)
    assert not ed25519_holds(key, text + b"!", signed)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_what_the_library_signs_holds(secret: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    assert ed25519_holds(key.public_key().public_bytes_raw(), message, key.sign(message))


@given(st.integers(0, 64 * 8 - 1))
def test_a_signature_with_another_bit_does_not_hold(bit: int) -> None:
    signature = bytearray(KEY.sign(b"text"))
    signature[bit // 8] ^= 1 << bit % 8
    assert not ed25519_holds(PUBLIC, b"text", bytes(signature))


@given(st.integers(0, 32 * 8 - 1))
def test_nor_does_one_by_another_key(bit: int) -> None:
    public = bytearray(PUBLIC)
    public[bit // 8] ^= 1 << bit % 8
    assert not ed25519_holds(bytes(public), b"text", KEY.sign(b"text"))


def test_a_signature_has_one_form() -> None:
    """Adding the order of the group to the second half gives the same point, and is refused."""
    signature = KEY.sign(b"text")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519_holds(PUBLIC, b"text", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("signature", [b"", b"short", KEY.sign(b"text") + b"\0"])
def test_what_is_no_signature_does_not_hold(signature: bytes) -> None:
    assert not ed25519_holds(PUBLIC, b"text", signature)


@pytest.mark.parametrize(
    "public",
    [
        b"",
        PUBLIC + b"\0",
        (2**255 - 18).to_bytes(32, "little"),  # 1, written otherwise
        (1 | 1 << 255).to_bytes(32, "little"),  # no point has this sign
        bytes([2]) + bytes(31),  # no point has this height
    ],
)
def test_what_is_no_point_is_no_key(public: bytes) -> None:
    assert not ed25519_holds(public, b"text", KEY.sign(b"text"))
