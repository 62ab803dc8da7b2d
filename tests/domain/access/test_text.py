"""How keys read: what is written is read, and nothing else is."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.text import SECRET_BYTES, digest_of, read, written

ID = UUID("0197b3a0-5f6e-7c4e-9d56-0d6a3a3b9c11")
TEXT = written("acme", ID, bytes(range(SECRET_BYTES)))

TENANTS = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,62}\Z")


@given(tenant=TENANTS, id=st.uuids(), secret=st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(tenant: str, id: UUID, secret: bytes) -> None:
    text = written(tenant, id, secret)
    assert read(text) == (tenant, id, digest_of(text))
    assert secret.hex() in text
    assert len(digest_of(text)) == 64


@given(at=st.integers(0, len(TEXT) - 1), other=st.characters())
def test_a_slip_of_one_character_is_seen(at: int, other: str) -> None:
    slipped = TEXT[:at] + other + TEXT[at + 1 :]
    assert (read(slipped) is None) == (slipped != TEXT)


@pytest.mark.parametrize("length", [0, 1, 8, 40, len(TEXT) - 8, len(TEXT) - 1])
def test_a_part_of_a_key_is_none(length: int) -> None:
    assert read(TEXT[:length]) is None


@given(st.text(max_size=200))
def test_other_texts_are_none(text: str) -> None:
    assert read(text) is None


def test_a_line_more_is_another_text() -> None:
    assert read(f"{TEXT}\n") is None
