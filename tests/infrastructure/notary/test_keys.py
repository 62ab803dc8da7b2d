"""The key is made once, is a secret, and is refused when it is not."""

import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from infrastructure.notary.errors import KeyIsUnusable
from infrastructure.notary.keys import existing, signer


def pem(
    key: Ed25519PrivateKey | X25519PrivateKey, secret: KeySerializationEncryption | None = None
) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret or NoEncryption())


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = signer(None, home).key
    assert (home / "notary.pem").stat().st_mode & 0o777 == 0o600
    assert signer(None, home).key == existing(None, home).key == key
    assert [each.name for each in home.iterdir()] == ["notary.pem"]


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(str(signer(None, tmp_path).key)))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_key_of_openssl_is_used(tmp_path: Path) -> None:
    path, key = tmp_path / "key.pem", Ed25519PrivateKey.generate()
    path.write_bytes(pem(key))
    path.chmod(0o400)
    signed = signer(path, tmp_path / "home").sign(
        "log", 1, bytes(32), 1, "2030-01-01T00:00:00.000000+00:00"
    )
    assert signed.is_signed_by([signer(path, tmp_path).key])
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (None, 0o600, "No such file"),
        (pem(Ed25519PrivateKey.generate()), 0o640, "others may read it"),
        (b"no key", 0o600, "no unencrypted private key"),
        (
            pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"word")),
            0o600,
            "no unencrypted private key",
        ),
        (pem(X25519PrivateKey.generate()), 0o600, "another kind than Ed25519"),
    ],
)
def test_a_key_that_is_none_or_no_secret_is_refused(
    tmp_path: Path, content: bytes | None, mode: int, why: str
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(KeyIsUnusable, match=why) as refused:
        signer(path, tmp_path)
    assert "STRATAL_NOTARY_KEY" in str(refused.value)


def test_a_home_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyIsUnusable):
        signer(None, tmp_path / "file" / "home")
