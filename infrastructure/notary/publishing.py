"""Checkpoints outside the database: appended to a file, posted to an address, as it is set up."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Final
from urllib.request import HTTPRedirectHandler, Request, build_opener

from application.scrubbing import place_of
from infrastructure.notary.errors import WhatIsGivenIsUnusable
from infrastructure.notary.verifier.notes import Checkpoint, split_notes, to_checkpoint

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
_TAIL_BYTES: Final = 65_536
_SIGNATURE_LINE: Final = re.compile("^\u2014 .*\n".encode(), re.MULTILINE)


class Publisher:
    """Hands each checkpoint on; where that fails, the latest is handed on as soon as it works."""

    def __init__(self, file: Path | None, url: str | None) -> None:
        self.file = file
        self._waiting: dict[str, str] = {}
        ways: dict[str, Callable[[str], None]] = {}
        if file is not None:
            ways[str(file)] = lambda note: append(file, note)
        if url is not None:
            ways[place_of(url)] = lambda note: post(url, note)
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
            except (OSError, HTTPException, ValueError) as error:
                # Of an address that is none the words of the error hold more than the place.
                why = str(error) if isinstance(error, OSError) else type(error).__name__
                logger.warning("A checkpoint could not be handed on to %s: %s", where, why)
            else:
                del self._waiting[where]

    def last(self, origin: str) -> Checkpoint | None:
        """The last checkpoint of the log *origin* in the file.

        Raises:
            WhatIsGivenIsUnusable: The file cannot be read.
        """
        if self.file is None:
            return None
        try:
            with self.file.open("rb") as stream:
                tail = _tail(stream).decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise WhatIsGivenIsUnusable(f"STRATAL_NOTARY_FILE cannot be read, {error}") from None
        for note in reversed([*split_notes(tail)]):
            checkpoint = _read(note)
            if checkpoint is not None and checkpoint.origin == origin:
                return checkpoint
        return None


def append(file: Path, note: str) -> None:
    """Append *note* in one write, and wait for the disk; what was cut short before it goes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b", buffering=0) as stream:
        tail, whole = _tail(stream), f"{note}\n".encode()
        if torn := _cut_short(tail, whole):
            stream.truncate(stream.tell() - torn)
        elif tail and not tail.endswith(b"\n"):
            whole = b"\n" + whole
        if stream.write(whole) != len(whole):
            raise OSError("the disk did not take all of it")
        os.fsync(stream.fileno())


def post(url: str, note: str) -> None:
    """Post *note* as text; anything but success raises, mostly an ``OSError``."""
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    request = Request(url, note.encode(), headers)  # noqa: S310 - the settings allow http(s) alone
    with build_opener(_NoRedirects).open(request, timeout=PATIENCE_S):
        pass


class _NoRedirects(HTTPRedirectHandler):
    """A POST that is redirected would go on as a GET, without the note."""

    def redirect_request(self, *_where: object, **_named: object) -> None:
        """Follow none."""


def _tail(stream: BinaryIO) -> bytes:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
    return stream.read()


def _cut_short(tail: bytes, note: bytes) -> int:
    """How many bytes at the end of *tail* begin a note of the log of *note*, and do not end it."""
    rest = _SIGNATURE_LINE.split(tail)[-1].lstrip(b"\n")
    origin = note[: note.index(b"\n") + 1]
    is_ours = rest[: len(origin)] == origin[: len(rest)]
    is_whole = _read(f"{rest.decode(errors='replace')}\n") is not None
    return len(rest) if is_ours and not is_whole else 0


def _read(note: str) -> Checkpoint | None:
    """The checkpoint of *note*; what was cut at the beginning of the tail is none."""
    try:
        return to_checkpoint(note)
    except ValueError:
        return None
