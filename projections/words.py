"""Plain English in pieces: what the sentences of the audit trail are made of."""

from typing import Final
from uuid import UUID

from domain.values import Failure

Words = tuple[str | UUID, ...]
"""A sentence in pieces; an id stands for the name of the thing, or for itself if it has none."""

_MOST_CHARACTERS: Final = 200


def quoted(text: str) -> str:
    """*text* as a quotation that cannot be mistaken for our own words: one line, and short."""
    line = plain(text).replace("“", "'").replace("”", "'")
    cut = line if len(line) <= _MOST_CHARACTERS else line[: _MOST_CHARACTERS - 1] + "…"
    return f"“{cut}”"


def plain(text: str) -> str:
    """*text* on one line, without characters that do not show or turn the line around."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def cause_of(failure: Failure) -> str:
    return f"{quoted(failure.message)} ({plain(failure.code)})"


def score_of(score: float | None) -> str:
    return "an unknown score" if score is None else f"{score:.3g}"


def time_of(duration_ms: float) -> str:
    return f"{duration_ms:.0f} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"


def many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
