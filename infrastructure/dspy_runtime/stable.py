"""What went wrong in words that are the same wherever and whenever it goes wrong again.

They stand in prompts: a path or an address in them would make every replay diverge.
"""

import re
from typing import Final

from domain.values import Failure

_MOST_CHARACTERS: Final = 300
_UNSTABLE: Final = (
    (re.compile(r"0x[0-9a-fA-F]{4,}"), "0x…"),
    (re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.@+~-]+){2,}[\\/]?"), "…"),
    (re.compile(r"\bline \d+\b"), "line …"),
)


def stable_text(text: str) -> str:
    """The first line of *text* without paths, line numbers and addresses, cut short."""
    line = text.strip().split("\n", 1)[0]
    for pattern, put in _UNSTABLE:
        line = pattern.sub(put, line)
    return line[:_MOST_CHARACTERS]


def stable_failure(error: Exception) -> Failure:
    """*error* of code that is not ours."""
    said = stable_text(str(error))
    kind = type(error).__name__
    return Failure(code="tool.failed", message=f"{kind}: {said}" if said else f"{kind}.")
