"""Words for things with any name: as types are called in documents that generators read."""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_DIGITS: Final = 8
"""Of the digest that tells apart names which differ in no letter and no figure."""


class Words:
    """Gives each name a word that nothing else is called by, whatever letters it is written in.

    The same names in the same order have the same words; of several with one word the first has it.
    """

    def __init__(self, kind: str, types: Callable[[str], Iterable[str]], taken: set[str]) -> None:
        """*types* are all that a word stands for; *taken*, in lower case, are called so already."""
        self._kind, self._types, self._taken = kind, types, taken

    def word(self, name: str) -> str:
        """The word of *name*: ``blog-summarizer`` is ``BlogSummarizer``."""
        word = capitalized(name)
        if not word[:1].isalpha() or not self._is_free(word):
            word = f"{self._kind}{word}{digest(name)}"
        while not self._is_free(word):  # somebody foresaw the digest
            word += digest(word)
        self._taken.update(self._names(word))
        return word

    def _is_free(self, word: str) -> bool:
        return self._taken.isdisjoint(self._names(word))

    def _names(self, word: str) -> set[str]:
        """What the types of *word* are called, as far as generators tell names apart."""
        return {each.casefold() for each in self._types(word)}


def capitalized(name: str) -> str:
    """The letters and figures of *name*, each part of it with a capital."""
    return "".join(part[0].upper() + part[1:] for part in _WORD.findall(name))


def digest(name: str) -> str:
    """A few figures that tell *name* from others."""
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
