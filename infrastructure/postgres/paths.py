"""Socket paths: the system takes about 100 bytes, a home may be longer."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from infrastructure.postgres.errors import PathIsNotPrivate

SOCKET = ".s.PGSQL.5432"
_LONGEST = 100
"""In bytes: Linux takes 107, macOS 103."""


def connectable(directory: Path) -> Path:
    """*directory*, or a short private link to it, as a client can name it.

    The server itself binds relative to its working directory, so only clients need the short name.

    Raises:
        PathIsNotPrivate: The place of the link is not ours alone.
    """
    name = os.fsencode(directory / SOCKET)
    if len(name) <= _LONGEST and b"," not in name:  # libpq reads a comma as a list of hosts
        return directory
    private = _links()
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PathIsNotPrivate(private)
    link = private / hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    with suppress(FileExistsError):
        link.symlink_to(directory)
    return link


def _links() -> Path:
    return Path(f"/tmp/stratal-{os.geteuid()}")  # noqa: S108 - checked to be ours alone
