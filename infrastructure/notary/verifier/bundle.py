"""The bundle: what lies in its files, and what is said of it."""

from __future__ import annotations

import argparse
import io
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import IO, Callable, Iterable, Iterator, Sequence

from infrastructure.notary.verifier.examination import Kept, Log, Proof, Report, examine
from infrastructure.notary.verifier.leaves import Event, from_line
from infrastructure.notary.verifier.notes import Checkpoint, Key, split_notes, to_checkpoint, to_key
from infrastructure.notary.verifier.tree import Frontier

KEPT = struct.Struct(">q32s")
"""An entry of ``leaves.bin``: the position of an event and the hash of its leaf."""
BLOCK = 4096

_DAMAGE = (
    *(OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error),
    *(AttributeError, LookupError, TypeError, ValueError),
)
"""What reading a damaged bundle raises."""

Open = Callable[[str], IO[bytes]]


def opened(path: Path) -> Open:
    """The files of a bundle by name, in a folder or a zip archive."""
    if path.is_dir():
        return lambda name: (path / name).open("rb")
    archive = zipfile.ZipFile(path)
    return lambda name: io.BufferedReader(archive.open(name), 1 << 20)  # type: ignore[type-var]


def read_log(file: Open, keys: Sequence[Key], outside: str) -> Log:
    """The log of a bundle, by *keys*, or by its own if there are none."""
    about = json.loads(_text(file, "bundle.json"))
    base = Frontier(about["base_size"], [bytes.fromhex(each) for each in about["base_roots"]])
    lines = [json.loads(line) for line in _text(file, "proofs.jsonl").splitlines()]
    notes = [str(json.loads(line)) for line in _text(file, "checkpoints.jsonl").splitlines()]
    checkpoints, unreadable = read_notes(notes)
    others, unreadable_others = read_notes(split_notes(_text(file, "outside.txt") + outside))
    return Log(
        about["origin"],
        _events(file),
        _kept(file),
        [(first, last) for first, last in about["away"]],
        checkpoints,
        others,
        [*unreadable, *unreadable_others],
        [Proof(it["old"], it["new"], tuple(map(bytes.fromhex, it["path"]))) for it in lines],
        keys or read_keys(_text(file, "keys.txt")),
        base,
    )


def _text(file: Open, name: str) -> str:
    with file(name) as stream:
        return stream.read().decode()


def _events(file: Open) -> Iterator[Event | str]:
    with file("events.jsonl") as stream:
        for number, raw in enumerate(stream, 1):
            yield _event(number, raw)


def _event(number: int, raw: bytes) -> Event | str:
    try:
        return from_line(raw.decode().rstrip("\n"))
    except ValueError as error:
        return f"line {number} of events.jsonl: {error}"


def _kept(file: Open) -> Iterator[Kept]:
    with file("leaves.bin") as stream:
        while block := stream.read(BLOCK * KEPT.size):
            whole = block[: len(block) - len(block) % KEPT.size]
            yield from (Kept(*each) for each in KEPT.iter_unpack(whole))


def read_notes(notes: Iterable[str]) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints that *notes* are, and what is wrong with those that are none."""
    read = [_checkpoint(note) for note in notes]
    checkpoints = [each for each in read if isinstance(each, Checkpoint)]
    return checkpoints, [each for each in read if isinstance(each, str)]


def _checkpoint(note: str) -> Checkpoint | str:
    try:
        return to_checkpoint(note)
    except ValueError as error:
        return f"{error}: {note[:60]!r}"


def read_keys(text: str) -> list[Key]:
    """The public keys in *text*, one a line."""
    return [to_key(line) for line in text.splitlines() if line.strip()]


def keys_of(word: str) -> list[Key]:
    """The keys that *word* is, or that lie in the file of that name."""
    path = Path(word)
    return read_keys(path.read_text(encoding="utf-8") if path.is_file() else word)


def told(report: Report, keys: Sequence[Key]) -> Iterator[str]:
    """*report* in lines."""
    where = f", positions {report.first} to {report.last}" if report.events else ""
    yield f"read       {report.events} events{where}"
    if report.base:
        yield f"before     {report.base} earlier events are not here, but what they hashed to is"
    if report.away:
        yield f"away       {report.away} events were taken out, the database says; ask for them"
    yield from (f"key        {key}" for key in keys)
    signed = report.signed
    if signed is not None:
        until = f"up to position {signed.position}, {signed.time}"
        yield f"signed     the first {signed.size} of the log, {until}"
        yield f"agreed     {report.agreed} checkpoints, {report.proofs} consistency proofs"
    if report.disagreed:
        yield f"disagreed  {report.disagreed} checkpoints"
    if report.others:
        yield f"others     {report.others} earlier checkpoints are by keys that were not given"
    if report.unchecked:
        yield f"unchecked  {report.unchecked} checkpoints are older than the first event here"
    if report.unsigned:
        yield f"unsigned   the last {report.unsigned} are not signed yet"
    yield from map(str, report.findings)
    if report.unlisted:
        yield f"and more   {report.unlisted} findings are not listed"
    yield _verdict(report)


def _verdict(report: Report) -> str:
    if report.findings:
        return "ILL        this log is not as it was signed"
    if report.away:
        return "well       nothing else is amiss; that the rest is away is the database's word"
    return "well       nothing is amiss"


def _tell(seen: int) -> None:
    sys.stderr.write(f"\r{seen} events")
    sys.stderr.flush()


def main(words: Sequence[str] | None = None) -> int:
    """Check a bundle, say what was checked and found, and return the exit status."""
    parser = argparse.ArgumentParser(description="Checks a bundle of Stratal's log.")
    parser.add_argument("bundle", nargs="?", type=Path, help="a folder or a .zip; else this folder")
    parser.add_argument(
        "--key", action="append", default=[], help="a public key, or a file of them"
    )
    parser.add_argument("--checkpoints", action="append", default=[], type=Path, help="kept apart")
    given = parser.parse_args(words)
    try:
        keys = [key for word in given.key for key in keys_of(word)]
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in given.checkpoints]
        log = read_log(opened(given.bundle or Path(__file__).parent), keys, "\n".join(texts))
        report = examine(log, _tell)
    except _DAMAGE as error:
        sys.stdout.write(f"UNREADABLE {error}\n")
        return 1
    sys.stderr.write("\r")
    for line in told(report, log.keys):
        sys.stdout.write(f"{line}\n")
    if not keys:
        sys.stdout.write("The key came with the bundle: compare it with one from elsewhere.\n")
    return 1 if report.findings else 0
