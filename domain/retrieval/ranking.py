"""Keyword ranking (BM25) of texts: the same texts and query give the same order everywhere."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_WORD = re.compile(r"\w+")
_SATURATION: Final = 1.5
"""How fast further occurrences of a word stop to count (k1)."""
_LENGTH_PENALTY: Final = 0.75
"""How much a long text is held to say a word by chance (b)."""


class Ranked(NamedTuple):
    """A text by its place in the list that was searched; its score is 0 when it shares no word."""

    place: int
    score: float


class Ranking:
    """Texts made ready for many queries. Building it takes a second for some ten million words."""

    def __init__(self, documents: Sequence[str]) -> None:
        self._size = len(documents)
        counts = [Counter(words(document)) for document in documents]
        lengths = [counted.total() for counted in counts]
        average = sum(lengths) / max(self._size, 1) or 1.0
        self._weights = [
            _SATURATION * (1 - _LENGTH_PENALTY + _LENGTH_PENALTY * length / average)
            for length in lengths
        ]
        self._postings: dict[str, list[tuple[int, int]]] = {}
        for index, counted in enumerate(counts):
            for word, times in counted.items():
                self._postings.setdefault(word, []).append((index, times))

    def nearest(self, query: str, k: int) -> tuple[Ranked, ...]:
        """The *k* texts nearest to *query*, best first; equally near ones in their order.

        Texts that share no word with it come last, so the result is shorter than *k* only where
        there are fewer texts.
        """
        scores = [0.0] * self._size
        for word in dict.fromkeys(words(query)):
            for index, gain in self._gains(word):
                scores[index] += gain
        order = sorted(range(self._size), key=lambda index: (-scores[index], index))
        return tuple(Ranked(index, scores[index]) for index in order[:k])

    def _gains(self, word: str) -> Iterator[tuple[int, float]]:
        found = self._postings.get(word, [])
        rarity = math.log(1 + (self._size - len(found) + 0.5) / (len(found) + 0.5))
        for index, times in found:
            yield index, rarity * times * (_SATURATION + 1) / (times + self._weights[index])


def nearest(query: str, documents: Sequence[str], k: int) -> tuple[int, ...]:
    """The places of the *k* *documents* nearest to *query*, best first, ties in their order."""
    return tuple(ranked.place for ranked in Ranking(documents).nearest(query, k))


def words(text: str) -> list[str]:
    """The words of *text* as they are compared: letters, digits and underscores, without case."""
    return [word.casefold() for word in _WORD.findall(text)]
