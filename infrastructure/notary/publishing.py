"""Checkpoints outside the database: appended to a file, posted to an address, as it is set up."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

from infrastructure.notary.verifier.notes import Checkpoint, split_notes, to_checkpoint

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
_TAIL_BYTES: Final = 65_536


class Publisher:
    """Hands each checkpoint on; where that fails, the latest is handed on as soon as it works."""

    def __init__(self, file: Path | None, url: str | None) -> None:
        self.file = file
        self._waiting: dict[str, str] = {}
        ways: dict[str, Callable[[str], None]] = {}
        if file is not None:
            ways[str(file)] = lambda note: append(file, note)
        if url is not None:
            ways[url] = lambda note: post(url, note)
        self._ways: Mapping[str, Callable[[str], None]] = ways

    def publish(self, note: str) -> None:
        """Hand *note* on, everywhere."""
        self._waiting = dict.fromkeys(self._ways, note)
        self.try_again()

    def try_again(self) -> None:
        """Hand on what could not be handed on so far."""
        for where, note in [*self._waiting.items()]:
            try:
                self._ways[where](note)
            except OSError as error:
                logger.warning("A checkpoint could not be handed on to %s: %s", where, error)
            else:
                del self._waiting[where]

    def last(self, origin: str) -> Checkpoint | None:
        """The last checkpoint of the log *origin* in the file."""
        if self.file is None or not self.file.exists():
            return None
        with self.file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
            tail = stream.read().decode(errors="replace")
        for note in reversed([*split_notes(tail)]):
            checkpoint = _read(note)
            if checkpoint is not None and checkpoint.origin == origin:
                return checkpoint
        return None


def append(file: Path, note: str) -> None:
    """Append *note* in one write, and wait for the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab", buffering=0) as stream:
        stream.write(f"{note}\n".encode())
        os.fsync(stream.fileno())


def post(url: str, note: str) -> None:
    """Post *note* as text; anything but success is an ``OSError``."""
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    request = Request(url, note.encode(), headers)  # noqa: S310 - the settings allow http(s) alone
    with urlopen(request, timeout=PATIENCE_S):  # noqa: S310 - as above
        pass


def _read(note: str) -> Checkpoint | None:
    """The checkpoint of *note*; what was cut at the beginning of the tail is none."""
    try:
        return to_checkpoint(note)
    except ValueError:
        return None
