"""Where the workers of one service listen on their machine: a private folder of its home."""

import hashlib
import socket
from pathlib import Path

SUFFIX = ".line"
"""With the eight digits before it no longer than the socket of Postgres, which has room there."""


def folder(home: Path, conninfo: str) -> Path:
    """Where the workers of this machine listen that work on the database at *conninfo*.

    Another machine, or another service, has another folder, though they may share a home.
    """
    whose = f"{socket.gethostname()}\n{conninfo}"
    return home / "lines" / hashlib.sha256(whose.encode()).hexdigest()[:8]


def listening(place: Path, owner: int) -> Path:
    """Where the worker *owner* listens."""
    return place / f"{owner:08x}{SUFFIX}"
