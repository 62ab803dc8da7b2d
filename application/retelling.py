"""What one follower of an execution is told of its calls: live where it can be, else of the record.

What is told live may come twice, late or never; the record is whole, and fills what is missing.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from application.streaming import Piece
from domain.values import Digest, Failure, LmCall

MOST_PIECE: Final = 4_000
"""So many characters are told at once of what is told from the record."""


class Live(NamedTuple):
    """What a worker told of a call that is under way; without a *piece* that it began."""

    call: Digest
    node: str
    piece: Piece | None


class NodeTold(NamedTuple):
    """A predictor asks a model, or has its answer, or has none."""

    call: Digest
    node: str
    state: Literal["began", "ended"]
    failure: Failure | None = None


class ChunkTold(NamedTuple):
    """More of an output field; at offset 0 it begins, or begins anew."""

    call: Digest
    node: str
    piece: Piece


Told = NodeTold | ChunkTold


class Retelling:
    """Remembers what was told of each call, so that each text is told whole and once.

    A text that turns out to be another one, as after a failed try, is told anew from its beginning.
    """

    def __init__(self) -> None:
        self._texts: dict[Digest, dict[str, str]] = {}
        self._answered: set[Digest] = set()

    def passed(self, call: LmCall) -> None:
        """Take *call* as told."""
        if call.failure is None:
            self._answered.add(call.key)

    def live(self, told: Live) -> Iterator[Told]:
        """What *told* adds; nothing if it is of what is told already, or if there is a gap."""
        if told.call in self._answered:
            return
        yield from self._begun(told.call, told.node)
        if told.piece is not None:
            texts, (field, offset, text) = self._texts[told.call], told.piece
            if offset == 0 or offset == len(texts.get(field, "")):
                texts[field] = text if offset == 0 else texts[field] + text
                yield ChunkTold(told.call, told.node, told.piece)

    def recorded(self, call: LmCall, pieces: Iterable[Piece]) -> Iterator[Told]:
        """What the record of *call*, which was answered by *pieces*, adds."""
        if call.key in self._answered:
            return
        yield from self._begun(call.key, call.node)
        texts = self._texts.pop(call.key)
        for field, _, text in pieces:
            before = texts.get(field, "")
            start = len(before) if text.startswith(before) else 0
            for at in range(start, len(text), MOST_PIECE):
                piece = Piece(field, at, text[at : at + MOST_PIECE])
                yield ChunkTold(call.key, call.node, piece)
        self.passed(call)
        yield NodeTold(call.key, call.node, "ended", call.failure)

    def _begun(self, call: Digest, node: str) -> Iterator[Told]:
        if call not in self._texts:
            self._texts[call] = {}
            yield NodeTold(call, node, "began")
