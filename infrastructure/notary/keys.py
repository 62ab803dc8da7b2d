"""The notary's key: a file that only its owner may read, made once if none is named."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from infrastructure.notary.errors import KeyIsUnusable
from infrastructure.notary.verifier.notes import Checkpoint, Key, checkpoint_text

NAME: Final = "stratal-notary"
DEFAULT: Final = "notary.pem"
_OTHERS: Final = 0o077


class Signer:
    """Signs with one private key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = Key(NAME, private.public_key().public_bytes_raw())

    def sign(self, origin: str, size: int, root: bytes, position: int, time: str) -> Checkpoint:
        """A signed checkpoint of the first *size* events of the log *origin*."""
        text = checkpoint_text(origin, size, root, position, time)
        signature = (self.key.name, self.key.id, self._private.sign(text.encode()))
        return Checkpoint(origin, size, root, position, time, text, (signature,))


def signer(path: Path | None, home: Path) -> Signer:
    """The signer of the key at *path*; without one, of a key that is made once under *home*.

    Raises:
        KeyIsUnusable: It is not there, is no Ed25519 key, or others may read it.
    """
    if path is None:
        where = home / DEFAULT
        try:
            _make(where)
        except OSError as error:
            raise KeyIsUnusable(where, error.strerror or str(error)) from None
    return existing(path, home)


def existing(path: Path | None, home: Path) -> Signer:
    """The signer of the key that is there already.

    Raises:
        KeyIsUnusable: As above; the notary makes one under *home* when it first starts.
    """
    where = home / DEFAULT if path is None else path
    try:
        return Signer(_read(where))
    except OSError as error:
        raise KeyIsUnusable(where, error.strerror or str(error)) from None


def _read(path: Path) -> Ed25519PrivateKey:
    if path.stat().st_mode & _OTHERS:
        raise KeyIsUnusable(path, "others may read it; chmod 600 mends that")
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyIsUnusable(path, "it is no unencrypted private key in PEM form") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyIsUnusable(path, "it is a key of another kind than Ed25519")
    return private


def _make(path: Path) -> None:
    """Make a key unless there is one, whole from the first moment that it is seen."""
    if path.exists():
        return
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as draft:  # for us alone
        draft.write(pem)
        draft.flush()
        os.fsync(draft.fileno())
        with suppress(FileExistsError):  # another process was first; its key is the one
            path.hardlink_to(draft.name)
