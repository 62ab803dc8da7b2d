"""What the notary signs: checkpoints, in the form of the C2SP signed note and tlog-checkpoint."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Iterator, NamedTuple, Sequence

from infrastructure.notary.verifier.ed25519 import ed25519_holds


class Key(NamedTuple):
    """A public key by its name; written ``name+id+base64``, as the format has it."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\1" + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([1]) + self.public)}"


class Checkpoint(NamedTuple):
    """The first *size* events of the log have the tree *root*; the last of them is at *position*.

    ``text`` is what was signed; ``signatures`` are by the name and the id of a key.
    """

    origin: str
    size: int
    root: bytes
    position: int
    time: str
    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def is_signed_by(self, keys: Sequence[Key]) -> bool | None:
        """Whether one of *keys* signed it; ``None``: no signature claims to be by one of them."""
        tried = [
            ed25519_holds(key.public, self.text.encode(), signature)
            for name, mark, signature in self.signatures
            for key in keys
            if (key.name, key.id) == (name, mark)
        ]
        return all(tried) if tried else None

    @property
    def note(self) -> str:
        """The signed note that says it."""
        return "\n".join((self.text, *(_signature_line(*each) for each in self.signatures), ""))

    def __str__(self) -> str:
        return f"the checkpoint of {self.size} events, {self.time}"


def checkpoint_text(origin: str, size: int, root: bytes, position: int, time: str) -> str:
    """What a notary signs."""
    return f"{origin}\n{size}\n{_base64(root)}\nposition {position}\ntime {time}\n"


def to_checkpoint(note: str) -> Checkpoint:
    """Read a signed note; one that is none of ours is a ``ValueError``."""
    text, _, signed = note.partition("\n\n")
    lines = text.split("\n")
    if len(lines) != 5 or not lines[3].startswith("position ") or not lines[4].startswith("time "):
        raise ValueError("this is no checkpoint of Stratal")
    signatures: list[tuple[str, bytes, bytes]] = []
    for line in signed.splitlines():
        dash, name, packed = line.split(" ")
        raw = base64.b64decode(packed, validate=True)
        if dash != "\u2014" or len(raw) != 68:
            raise ValueError("a signature of this checkpoint is cut or none")
        signatures.append((name, raw[:4], raw[4:]))
    root = base64.b64decode(lines[2], validate=True)
    size, position, time = int(lines[1]), int(lines[3][9:]), lines[4][5:]
    if checkpoint_text(lines[0], size, root, position, time) != text + "\n":
        raise ValueError("this is no checkpoint of Stratal")
    if not (0 < size < 2**63 and 0 <= position < 2**63):
        raise ValueError("this checkpoint is of more events than a log can have")
    if datetime.fromisoformat(time).isoformat(timespec="microseconds") != time:
        raise ValueError("the time of this checkpoint is not written as one is")
    found = Checkpoint(lines[0], size, root, position, time, text + "\n", tuple(signatures))
    if found.note != note:
        raise ValueError("this checkpoint is not written as one is")
    return found


def split_notes(text: str) -> Iterator[str]:
    """The signed notes that follow one another in a file."""
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and lines[-1].startswith("\u2014") and not line.startswith("\u2014"):
            yield "\n".join(lines) + "\n"
            lines = []
        if line or lines:
            lines.append(line)
    if lines:
        yield "\n".join(lines) + "\n"


def to_key(text: str) -> Key:
    """Read a public key; another text, or one with a slip, is a ``ValueError``."""
    name, mark, packed = text.strip().split("+", 2)
    raw = base64.b64decode(packed, validate=True)
    key = Key(name, raw[1:])
    if raw[:1] != b"\1" or len(raw) != 33 or key.id.hex() != mark:
        raise ValueError(f"{text!r} is no public key of a notary")
    return key


def _signature_line(name: str, id: bytes, signature: bytes) -> str:
    return f"\u2014 {name} {_base64(id + signature)}"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
