"""How one text became another, line by line, for people."""

from difflib import unified_diff

from domain.comparison.values import Change, ChangeKind, Severity


def lines_changed(before: str | None, after: str | None) -> tuple[str, ...]:
    """A unified diff of two texts without its heading; ``None`` is no text at all."""
    old, new = ((text or "").splitlines() for text in (before, after))
    return tuple(unified_diff(old, new, lineterm="", n=2))[2:]


def instructions_changed(
    before: str | None, after: str | None, pointer: str, of: str
) -> list[Change]:
    """The change of the instructions *of* something, if they differ."""
    if before == after:
        return []
    return [
        Change(
            kind=ChangeKind.INSTRUCTIONS_CHANGED,
            severity=Severity.COMPATIBLE,
            pointer=pointer,
            sentence=f"The instructions of {of} changed.",
            before=before,
            after=after,
            diff=lines_changed(before, after),
        )
    ]
