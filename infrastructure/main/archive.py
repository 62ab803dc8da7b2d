"""``stratal audit verify`` and ``export``: the log of this machine against its notary's word."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from infrastructure import bootstrap
from infrastructure.cli.audit import Examined
from infrastructure.main.process import reaching_the_database
from infrastructure.notary.archive import Archive
from infrastructure.notary.errors import WhatIsGivenIsUnusable
from infrastructure.notary.keys import existing
from infrastructure.notary.verifier.bundle import keys_of, read_notes, told
from infrastructure.notary.verifier.notes import Checkpoint, Key, split_notes
from infrastructure.postgres.sessions import session
from infrastructure.settings import Settings

Progress = Callable[[int], None]


def verify(keys: Sequence[str], checkpoints: Sequence[Path], progress: Progress) -> Examined:
    """Examine the log in the database, by *keys* or else by the notary's own.

    Raises:
        WhatIsGivenIsUnusable: A key or a file of checkpoints cannot be read.
        KeyIsUnusable: No key is given, and the notary's is not here.
    """
    settings = Settings.from_environment()
    with _archive(settings, _keys(keys, settings), checkpoints) as archive:
        report = archive.verify(progress)
    signed = report.signed
    return Examined(
        lines=list(told(report, archive.keys)),
        is_well=not report.findings,
        json={
            "well": not report.findings,
            "events": report.events,
            "signed": None if signed is None else {"size": signed.size, "at": signed.time},
            "unsigned": report.unsigned,
            "findings": [asdict(each) for each in report.findings],
        },
    )


def export(out: Path, start: int, progress: Progress) -> str:
    """Write the bundle, and say what is in it.

    Raises:
        BundleExists: Something is there already.
        KeyIsUnusable: The notary's key is not here.
    """
    settings = Settings.from_environment()
    with _archive(settings, _keys((), settings), ()) as archive:
        found = archive.export(out, start=start, progress=progress)
    return f"{out}: {found.events} events, {found.checkpoints} checkpoints, and verify.py."


@contextmanager
def _archive(
    settings: Settings, keys: Sequence[Key], checkpoints: Sequence[Path]
) -> Generator[Archive, None, None]:
    outside, unreadable = _outside(checkpoints, settings)
    with reaching_the_database(), bootstrap.database(settings) as access:
        bootstrap.prepare(access)
        yield Archive(session(access.service, "audit", limited=False), keys, outside, unreadable)


def _keys(given: Sequence[str], settings: Settings) -> list[Key]:
    try:
        keys = [key for word in given for key in keys_of(word)]
    except (OSError, ValueError) as error:
        raise WhatIsGivenIsUnusable(str(error)) from None
    return keys or [existing(settings.notary_key, settings.home).key]


def _outside(given: Sequence[Path], settings: Settings) -> tuple[list[Checkpoint], list[str]]:
    """What the files say, the one of the settings while it is there; and what they do not."""
    own = [settings.notary_file] if settings.notary_file and settings.notary_file.exists() else []
    try:
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in (*own, *given)]
    except OSError as error:
        raise WhatIsGivenIsUnusable(str(error)) from None
    return read_notes(note for text in texts for note in split_notes(text))
