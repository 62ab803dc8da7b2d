"""Who serves a home: one ``stratal serve`` at a time, which says where it is reached."""

import fcntl
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

PATIENCE_S = 1.0
"""Somebody who only looks holds the lock for a moment."""


class AlreadyServing(Exception):
    """Another ``stratal serve`` owns this home."""

    code = "serve.already_running"

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"Another `stratal serve` runs on {home}. Use it, stop it, or set STRATAL_HOME."
        )


class HomeIsUnusable(Exception):
    """Nothing can be kept in this home."""

    code = "settings.home_unusable"

    def __init__(self, home: Path, why: str) -> None:
        super().__init__(
            f"The home {home} cannot be used: {why}. Set STRATAL_HOME to a directory of yours."
        )


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that was started on a home."""

    url: str
    lm: str


Announce = Callable[[Serving | None], None]


@contextmanager
def sole_owner(home: Path) -> Generator[Announce, None, None]:
    """Own *home* for the block; what it is given, others are told as long as the block lasts.

    Raises:
        AlreadyServing: The home is taken.
        HomeIsUnusable: It cannot be written.
    """
    with _lock_file(home) as lock:
        deadline_s = time.monotonic() + PATIENCE_S
        while not _locked(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline_s:
                raise AlreadyServing(home)
            time.sleep(0.05)

        def announce(serving: Serving | None) -> None:
            lock.truncate(0)
            lock.write("" if serving is None else json.dumps(asdict(serving)))
            lock.flush()

        announce(None)
        try:
            yield announce
        finally:
            announce(None)


def is_owned(home: Path) -> bool:
    """Whether a service runs on *home*, starts or stops."""
    with _lock_file(home) as lock:
        return not _locked(lock, fcntl.LOCK_SH)


def serving(home: Path) -> Serving | None:
    """Where the service of an owned home is reached; nothing while it starts or stops."""
    with suppress(OSError, ValueError, TypeError):
        return Serving(**json.loads((home / "serve.lock").read_text()))
    return None


@contextmanager
def _lock_file(home: Path) -> Generator[IO[str], None, None]:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (home / "serve.lock").open("a")
    except OSError as error:
        raise HomeIsUnusable(home, error.strerror or str(error)) from None
    with lock:
        yield lock


def _locked(lock: IO[str], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
