"""Tools that note what they do in a file, and kill their worker as soon as they did it first."""

import os
import signal
from pathlib import Path


def _noted(name: str) -> str:
    notes = Path(os.environ["SHOP_NOTES"])
    is_first = name not in notes.read_text().split()
    with notes.open("a") as lines:
        lines.write(f"{name}\n")
    if is_first:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{name} is done"


def book() -> str:
    return _noted("book")


def pay() -> str:
    return _noted("pay")


def ship(fails: bool) -> str:
    done = _noted(f"ship-{fails}")
    if fails:
        raise OSError("No ship sails.")
    return done


def refund(of: str) -> str:
    assert of == "pay is done"
    return _noted("refund")


def unbook(of: str) -> str:
    assert of == "book is done"
    return _noted("unbook")
