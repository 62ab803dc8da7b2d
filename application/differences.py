"""What two requests to a model, or two results, differ in, for people to read."""

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final, NamedTuple

from pydantic import JsonValue

LONGEST: Final = 2000
"""So many lines of each side are compared; of longer texts what follows is left out."""
MOST_SHOWN: Final = 200
_CONTEXT: Final = 2


class _Line(NamedTuple):
    at: str
    text: str


def first_difference(before: JsonValue, after: JsonValue) -> str | None:
    """Where the two differ first, as a path such as ``/messages/0/parts/0/text``."""
    for old, new in zip_longest(_lines(before), _lines(after)):
        if old != new:
            return str((new or old).at) or "/"
    return None


def in_common(before: JsonValue, after: JsonValue) -> int:
    """How many lines of *after* stand in *before*, too, wherever."""
    return len({line.text for line in _lines(before)} & {line.text for line in _lines(after)})


def difference(before: JsonValue, after: JsonValue) -> str:
    """What *after* has in place of what *before* had, line by line, ``+`` and ``-``.

    Each part begins with ``@`` and where it is; a little that is equal stands around it.
    """
    old, new = list(_lines(before))[:LONGEST], list(_lines(after))[:LONGEST]
    matcher = SequenceMatcher(None, _texts(old), _texts(new), autojunk=False)
    shown = [
        line for group in matcher.get_grouped_opcodes(_CONTEXT) for line in _part(old, new, group)
    ]
    if len(shown) > MOST_SHOWN:
        more = len(shown) - MOST_SHOWN
        shown = [*shown[:MOST_SHOWN], f"… {more} more lines"]
    return "\n".join(shown)


def _part(
    old: Sequence[_Line], new: Sequence[_Line], group: Sequence[tuple[str, int, int, int, int]]
) -> Iterator[str]:
    _, was, _, is_now, _ = next(each for each in group if each[0] != "equal")
    yield f"@ {(new[is_now] if is_now < len(new) else old[was]).at or '/'}"
    for how, old_from, old_to, new_from, new_to in group:
        if how == "equal":
            yield from (f"  {line.text}" for line in old[old_from:old_to])
            continue
        yield from (f"- {line.text}" for line in old[old_from:old_to])
        yield from (f"+ {line.text}" for line in new[new_from:new_to])


def _texts(lines: Sequence[_Line]) -> list[str]:
    return [line.text for line in lines]


def _lines(content: JsonValue, at: str = "") -> Iterator[_Line]:
    """*content* as people read it: a line of a text is a line, anything else stands by its name."""
    match content:
        case dict() if content:
            for name, part in content.items():
                yield from _lines(part, f"{at}/{name}")
        case list() if content:
            for number, part in enumerate(content):
                yield from _lines(part, f"{at}/{number}")
        case str() if "\n" in content:
            for line in content.split("\n"):
                yield _Line(at, line)
        case _:
            yield _Line(at, f"{at.rpartition('/')[2]}: {json.dumps(content, ensure_ascii=False)}")
