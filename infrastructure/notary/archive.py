"""The whole log against the notary's word: examined in the database, or exported as a bundle."""

import json
import shutil
import zipfile
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, cast

import psycopg
from psycopg import IsolationLevel

from infrastructure.notary.errors import NotaryError
from infrastructure.notary.merkle import consistency_path
from infrastructure.notary.single_file import verifier
from infrastructure.notary.store import NotaryStore
from infrastructure.notary.verifier.bundle import KEPT, read_notes
from infrastructure.notary.verifier.examination import EVERY, Log, Proof, Report, examine
from infrastructure.notary.verifier.leaves import Event, to_line
from infrastructure.notary.verifier.notes import Checkpoint, Key

NOTES: Final = 1000
"""So many of the latest checkpoints are examined or exported, and about as many of all others."""

Progress = Callable[[int], None]
Create = Callable[[str], BinaryIO]


class BundleExists(NotaryError):
    """Nothing is written over."""

    code = "notary.bundle_exists"

    def __init__(self, out: Path) -> None:
        super().__init__(f"{out} is there already. Name another file or folder.")


class BundleIsUnfinished(NotaryError):
    """Another export to the same place runs still, or was killed."""

    code = "notary.bundle_unfinished"

    def __init__(self, draft: Path) -> None:
        super().__init__(
            f"{draft} is what another export has written so far. Wait for it; if none runs any "
            "more, it was killed: remove that, then try again."
        )


class StartIsUnproved(NotaryError):
    """The tree before the first event wanted is not in the database any more."""

    code = "notary.start_unproved"

    def __init__(self, start: int) -> None:
        super().__init__(
            f"What the notary kept of the log before position {start} is damaged. Take the log "
            "from the beginning: leave --from out."
        )


@dataclass(frozen=True, slots=True)
class Exported:
    """What a bundle holds."""

    events: int
    checkpoints: int


@dataclass(frozen=True, slots=True)
class Archive:
    """The log in the database at *conninfo*, with the keys to trust and what was kept outside.

    Everything is read from one snapshot; appends go on meanwhile.
    """

    conninfo: str
    keys: Sequence[Key]
    outside: Sequence[Checkpoint]
    unreadable: Sequence[str] = ()
    """What is wrong with that of it which is no checkpoint."""

    def verify(self, progress: Progress) -> Report:
        """Examine every event, as the bundle's verifier does."""
        with _snapshot(self.conninfo) as store:
            return examine(self._log(store, 0, store.spread(NOTES)), progress)

    def export(self, out: Path, *, start: int, progress: Progress) -> Exported:
        """Write the log from position *start* on to the folder or ``.zip`` archive *out*.

        Raises:
            BundleExists: *out* is there already.
            BundleIsUnfinished: Another export to *out* is not at its end.
        """
        if out.exists():
            raise BundleExists(out)
        with _draft_of(out) as draft:
            with (
                _snapshot(self.conninfo) as store,
                _creating(draft, zipped=out.suffix == ".zip") as create,
            ):
                notes = store.spread(NOTES)
                exported = self._write(create, self._log(store, start, notes), notes, progress)
            draft.rename(out)
        return exported

    def _log(self, store: NotaryStore, start: int, notes: Sequence[str]) -> Log:
        checkpoints, unreadable = read_notes(notes)
        try:
            index = store.rank(start)
            base = store.frontier(index)
        except (KeyError, ValueError):
            raise StartIsUnproved(start) from None
        return Log(
            store.origin(),
            store.events_from(start),
            store.kept_from(index),
            store.away(),
            checkpoints,
            self.outside,
            [*unreadable, *self.unreadable],
            _proofs(store, checkpoints, self.keys),
            self.keys,
            base,
        )

    def _write(
        self, create: Create, log: Log, notes: Sequence[str], progress: Progress
    ) -> Exported:
        roots = [each.hex() for each in log.base.roots]
        about = {
            "origin": log.origin,
            "base_size": log.base.size,
            "base_roots": roots,
            "away": log.away,
        }
        _fill(create, "verify.py", [verifier()])
        _fill(create, "bundle.json", [json.dumps(about, indent=1)])
        _fill(create, "keys.txt", map(str, self.keys))
        _fill(create, "checkpoints.jsonl", map(json.dumps, notes))
        _fill(create, "outside.txt", (each.note for each in log.outside))
        _fill(create, "proofs.jsonl", map(_proof_line, log.proofs))
        events = _fill(create, "events.jsonl", map(to_line, _events(log)), progress)
        with create("leaves.bin") as file:
            for each in log.kept:
                file.write(KEPT.pack(*each))
        return Exported(events, len(notes))


def _proofs(
    store: NotaryStore, checkpoints: Sequence[Checkpoint], keys: Sequence[Key]
) -> list[Proof]:
    """From each signed checkpoint to the next; none where what the notary kept is damaged."""
    origin = store.origin()
    ours = (each for each in checkpoints if each.origin == origin and each.is_signed_by(keys))
    steps = list(pairwise(sorted({each.size for each in ours})))
    try:
        paths = store.paths([consistency_path(old, new) for old, new in steps])
    except KeyError:
        return []
    return [Proof(old, new, path) for (old, new), path in zip(steps, paths, strict=True)]


def _events(log: Log) -> Iterable[Event]:
    return (each for each in log.events if isinstance(each, Event))


def _proof_line(proof: Proof) -> str:
    path = [each.hex() for each in proof.path]
    return json.dumps({"old": proof.old, "new": proof.new, "path": path})


def _fill(
    create: Create, name: str, lines: Iterable[str], progress: Progress = lambda _: None
) -> int:
    """Write *lines*, and say how many there were."""
    count = 0
    with create(name) as file:
        for count, line in enumerate(lines, 1):
            file.write(f"{line}\n".encode())
            if not count % EVERY:
                progress(count)
    return count


@contextmanager
def _draft_of(out: Path) -> Generator[Path, None, None]:
    """A place beside *out* for what is not whole yet; nothing stays there if the block fails."""
    draft = out.with_name(f".{out.name}.partial")
    if draft.exists():
        raise BundleIsUnfinished(draft)
    try:
        yield draft
    except BaseException:
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink(missing_ok=True)
        raise


@contextmanager
def _creating(path: Path, *, zipped: bool) -> Generator[Create, None, None]:
    """Creates files in a folder or an archive at *path*, one after another."""
    if not zipped:
        path.mkdir(parents=True)
        yield lambda name: (path / name).open("wb")
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        yield lambda name: cast(BinaryIO, archive.open(name, "w", force_zip64=True))


@contextmanager
def _snapshot(conninfo: str) -> Generator[NotaryStore, None, None]:
    with psycopg.connect(conninfo) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        # Between two blocks the disk of the bundle may take its time.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
        yield NotaryStore(connection)
