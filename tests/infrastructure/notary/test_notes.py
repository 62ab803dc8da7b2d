"""Checkpoints and keys are read as they were written, and only so."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.notary.keys import Signer
from infrastructure.notary.verifier.notes import split_notes, to_checkpoint, to_key

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer(Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
TIME = "2030-01-01T00:00:00.000000+00:00"
SIGNED = SIGNER.sign("stratal/log", 7, bytes(range(32)), 9, TIME)


def test_a_checkpoint_is_a_signed_note() -> None:
    assert SIGNED.note.startswith(
        "stratal/log\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        f"position 9\ntime {TIME}\n\n\u2014 stratal-notary "
    )
    assert SIGNED.note.endswith("==\n") or SIGNED.note.endswith("=\n")


@given(st.lists(st.integers(1, 2**62), max_size=5))
def test_checkpoints_are_read_as_they_were_signed(sizes: list[int]) -> None:
    signed = [SIGNER.sign("log", size, bytes(32), size + 1, TIME) for size in sizes]
    text = "\n".join(each.note for each in signed)
    assert [to_checkpoint(note) for note in split_notes(text)] == signed
    assert all(each.is_signed_by([OTHER.key, SIGNER.key]) for each in signed)


@given(st.integers(0, len(SIGNED.note) - 1), st.characters(max_codepoint=127))
def test_another_letter_makes_it_none_or_the_signature_false(place: int, letter: str) -> None:
    note = SIGNED.note[:place] + letter + SIGNED.note[place + 1 :]
    try:
        read = to_checkpoint(note)
    except ValueError:
        return
    assert note == SIGNED.note or not read.is_signed_by([SIGNER.key])


def test_a_key_that_did_not_sign_says_nothing() -> None:
    assert SIGNED.is_signed_by([OTHER.key]) is None


def test_a_second_signature_does_not_disturb() -> None:
    """A witness may sign the same text with a key of its own."""
    witness = OTHER.sign("stratal/log", 7, bytes(range(32)), 9, TIME)
    both = SIGNED._replace(signatures=(*SIGNED.signatures, *witness.signatures))
    [note] = split_notes(both.note)
    assert to_checkpoint(note).is_signed_by([SIGNER.key])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stratal/log\n7\n",
        SIGNED.note.replace("\n7\n", "\n07\n"),
        SIGNED.note.replace("\n7\n", "\n0\n"),
        SIGNED.note.replace("\n7\n", "\nseven\n"),
        SIGNED.note.replace("position", "place"),
        SIGNED.note.replace("\u2014 ", "- "),
        SIGNED.note[:-9] + "\n",
        SIGNED.note + "\n",
        SIGNED.note.replace("\n7\n", f"\n{2**63}\n"),
        SIGNED.note.replace("position 9\n", f"position {2**63}\n"),
        SIGNED.note.replace("position 9\n", "position -1\n"),
        SIGNED.note.replace("time 2030", "time then"),
        SIGNED.note.replace("00:00.000000", "00:00"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        to_checkpoint(text)


def test_a_key_is_read_as_it_is_written() -> None:
    assert to_key(str(SIGNER.key)) == SIGNER.key
    assert str(SIGNER.key).startswith(f"stratal-notary+{SIGNER.key.id.hex()}+AT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stratal-notary",
        str(SIGNER.key).replace("stratal", "other"),
        str(SIGNER.key)[:-4],
        str(SIGNER.key).replace("+AT", "+Aj"),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        to_key(text)
