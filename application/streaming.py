"""What a model says while it says it: told to whoever follows a run, and never a fact.

What is recorded is the whole answer; whoever missed a part of it finds it there.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import from_json

from domain.text import mended
from domain.values import Digest

_HEADING: Final = re.compile(r"\n[ \t]*\[\[ ## (\w+) ## \]\]")
_MAYBE_HEADING: Final = re.compile(r"\s*(?:\n[ \t]*\[[^\n]{0,100})?\Z")
_FENCE: Final = "```"
_MOST_JSON: Final = 32_000
"""A longer answer in JSON is read once, when it is whole: each part of it reads all before anew."""


class Piece(NamedTuple):
    """Some *text* of an output field; *offset* characters of it came before."""

    field: str
    offset: int
    text: str


class Audience(Protocol):
    """Whoever follows a run. Nothing that they are told blocks, or fails."""

    @property
    def listens(self) -> bool:
        """Whether anybody wants to be told."""
        ...

    def began(self, call: Digest, node: str) -> None:
        """Tell that the predictor *node* asks a model."""
        ...

    def said(self, call: Digest, node: str, piece: Piece) -> None:
        """Tell what the model said. A piece at offset 0 begins its field, also a second time."""
        ...


class Nobody:
    """The audience of a run that nobody asked to follow."""

    @property
    def listens(self) -> bool:
        return False

    def began(self, call: Digest, node: str) -> None:
        """Say nothing."""

    def said(self, call: Digest, node: str, piece: Piece) -> None:
        """Say nothing."""


NOBODY: Final = Nobody()
Audiences = Callable[[UUID], Audience]
"""The audience of an execution of the current tenant."""


def nobody(execution_id: UUID) -> Audience:
    """The audience where nothing can be told."""
    del execution_id
    return NOBODY


class Telling:
    """Tells *audience* of one call, in fields as far as they can be told apart yet."""

    def __init__(self, audience: Audience, call: Digest, node: str) -> None:
        self._audience, self._call, self._node = audience, call, node
        self._reader = FieldReader()
        audience.began(call, node)

    def again(self) -> None:
        """The model is asked, maybe not for the first time: it begins anew."""
        self._reader = FieldReader()

    def heard(self, more: str) -> None:
        """Tell what is known by *more* of the answer."""
        for piece in self._reader.read(str(mended(more))):
            self._audience.said(self._call, self._node, piece)


def pieces_of(answer: str) -> Iterator[Piece]:
    """The fields of a whole *answer*, each in one piece."""
    reader = FieldReader()
    texts = dict[str, str]()
    for piece in [*reader.read(answer), *reader.end()]:
        texts[piece.field] = texts.get(piece.field, "") + piece.text
    return (Piece(field, 0, text) for field, text in texts.items())


class FieldReader:
    """Reads the fields of an answer that is still being written, in either form that adapters use.

    However an answer is cut, the pieces of a field make up the same text.
    """

    def __init__(self) -> None:
        self._begun = ""
        self._fields: _Headed | _Json | None = None

    def read(self, more: str) -> list[Piece]:
        """The pieces that *more* of the answer leads to."""
        if self._fields is not None:
            return list(self._fields.read(more))
        self._begun = (self._begun + more).lstrip()
        if _FENCE.startswith(self._begun):  # nothing yet, or the beginning of a fence
            return []
        is_json = self._begun.startswith(("{", _FENCE))
        self._fields = _Json() if is_json else _Headed()
        return list(self._fields.read(self._begun))

    def end(self) -> list[Piece]:
        """What was held back, as it might have become something else."""
        return [] if self._fields is None else list(self._fields.end())


class _Headed:
    """Fields beneath headings, each on a line of its own: ``[[ ## name ## ]]``."""

    def __init__(self) -> None:
        self._waiting = "\n"
        self._field: str | None = None
        self._offsets: dict[str, int] = {}

    def read(self, more: str) -> Iterator[Piece]:
        self._waiting += more
        while (heading := _HEADING.search(self._waiting)) is not None:
            yield from self._told(self._waiting[: heading.start()].rstrip())
            self._waiting = self._waiting[heading.end() :]
            # Of a field that comes twice DSPy takes the first.
            self._field = None if heading[1] in self._offsets else heading[1]
            self._offsets.setdefault(heading[1], 0)
        held = _MAYBE_HEADING.search(self._waiting)
        assert held is not None, "Even nothing may become a heading."
        yield from self._told(self._waiting[: held.start()])
        self._waiting = self._waiting[held.start() :]

    def end(self) -> Iterator[Piece]:
        return self._told(self._waiting.rstrip())

    def _told(self, text: str) -> Iterator[Piece]:
        if self._field is None:
            return
        offset = self._offsets[self._field]
        if text := text if offset else text.lstrip():
            yield Piece(self._field, offset, text)
            self._offsets[self._field] = offset + len(text)


class _Json:
    """The members of an object: texts as they grow, all else when it is whole."""

    def __init__(self) -> None:
        self._text = ""
        self._offsets: dict[str, int] = {}

    def read(self, more: str) -> Iterator[Piece]:
        self._text += more
        if len(self._text) <= _MOST_JSON:
            yield from self._told(_members(self._text), without_last=True)

    def end(self) -> Iterator[Piece]:
        return self._told(_members(self._text), without_last=False)

    def _told(self, members: dict[str, JsonValue], *, without_last: bool) -> Iterator[Piece]:
        last = next(reversed(members), None) if without_last else None
        for name, value in members.items():
            if name == last and not isinstance(value, str):
                return
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            offset = self._offsets.get(name, 0)
            if more := text[offset:]:
                yield Piece(name, offset, more)
                self._offsets[name] = len(text)


def _members(text: str) -> dict[str, JsonValue]:
    """The members of the first object in *text*, which may not have come to its end."""
    if (begins := text.find("{")) < 0:
        return {}
    try:
        found: dict[str, JsonValue] = from_json(text[begins:], allow_partial="trailing-strings")
    except ValueError:
        return {}  # nothing that could be told: what the run makes of it is in its outputs
    return found
