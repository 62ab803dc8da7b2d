import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.payloads.codec import Codec, Stored, decode, encode


@given(st.binary(max_size=5_000) | st.binary(max_size=64).map(lambda part: part * 200))
def test_a_body_comes_back_as_it_was_and_never_grows(body: bytes) -> None:
    stored = encode(body)
    assert len(stored.body) <= len(body)
    assert decode(stored, size_bytes=len(body)) == body


def test_short_bodies_are_left_as_they_are() -> None:
    assert encode(b"{}") == Stored(Codec.PLAIN, b"{}")


def test_long_repeating_bodies_are_compressed() -> None:
    assert encode(b"Which queue? " * 50).codec is Codec.ZSTD


def test_a_frame_that_claims_another_size_is_refused_before_it_takes_memory() -> None:
    bomb = encode(bytes(50_000_000))
    with pytest.raises(ValueError, match="another size"):
        decode(bomb, size_bytes=10)
