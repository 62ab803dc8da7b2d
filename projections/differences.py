"""How one JSON document became another: the places that differ, as RFC 6902 names them."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from pydantic import JsonValue

from domain.text import escape


class Difference(NamedTuple):
    """One place that differs. What was added has no ``before``, what was removed no ``after``."""

    op: Literal["add", "remove", "replace"]
    path: str
    before: JsonValue
    after: JsonValue


def differences(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue], path: str = ""
) -> Iterator[Difference]:
    """The fewest members to set so that *before* becomes *after*; a list differs as a whole."""
    for name in (*before, *(name for name in after if name not in before)):
        here = f"{path}/{escape(name)}"
        if name not in after:
            yield Difference("remove", here, before[name], None)
        elif name not in before:
            yield Difference("add", here, None, after[name])
        else:
            yield from _differing(before[name], after[name], here)


def _differing(before: JsonValue, after: JsonValue, path: str) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from differences(before, after, path)
    elif type(before) is not type(after) or before != after:
        yield Difference("replace", path, before, after)
