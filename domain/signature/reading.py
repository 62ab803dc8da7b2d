"""A signature text read word by word: what every part of the grammar is made of."""

import math
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Final, NoReturn, TypeVar

from pydantic import JsonValue

from domain.signature.errors import SignatureSyntaxError
from domain.signature.tokens import Kind, Token, token_at, unquoted
from domain.signature.type_rules import MAX_TYPE_DEPTH
from domain.text import MAX_INTEGER_DIGITS

EXAMPLE: Final = "Write inputs, an arrow and outputs, such as 'question -> answer'."
NULL: Final = frozenset({"None", "null", "nil"})
_CONSTANTS: Final[dict[str, JsonValue]] = {
    "true": True, "True": True, "false": False, "False": False, **dict.fromkeys(NULL),
}  # fmt: skip
_LONGEST_WORD: Final = 200

T = TypeVar("T")


def nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    """A suggestion: the one of *known* that looks most like *word*, or *otherwise*."""
    near = get_close_matches(word[:_LONGEST_WORD], sorted(known), n=1)
    return f"Did you mean {near[0]}?" if near else otherwise


class Reader:
    """Reads one token ahead; nesting is bounded, so recursion is too."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._token = token_at(text, 0)

    def _literal(self, depth: int) -> JsonValue:
        if depth > MAX_TYPE_DEPTH:
            self._fail("this default is nested too deep", f"Use at most {MAX_TYPE_DEPTH} levels.")
        token = self._token
        if token.kind == "string":
            return self._string()
        if token.kind == "number":
            return self._number()
        if token.text in _CONSTANTS:
            self._advance()
            return _CONSTANTS[token.text]
        if self._accept("["):
            return self._closed("]", lambda: self._literal(depth + 1))
        if self._accept("{"):
            return dict(self._closed("}", lambda: self._entry(depth + 1)))
        self._expect(":", "a default", "Put a text in quotes; numbers, true, null, [] and {} stay.")
        return self._name("a word", "An atom is a colon and a word.")

    def _entry(self, depth: int) -> tuple[str, JsonValue]:
        if self._token.kind != "string":
            self._fail(
                f"{self._token} stands where a key should", "Put the keys of a map in quotes."
            )
        key = self._string()
        self._expect(":")
        return key, self._literal(depth)

    def _number(self) -> int | float:
        token = self._token
        if len(token.text) > MAX_INTEGER_DIGITS:
            self._fail("this number is too long", f"Use at most {MAX_INTEGER_DIGITS} digits.")
        number = float(token.text) if set(token.text) & set(".eE") else int(token.text)
        if isinstance(number, float) and math.isinf(number):
            self._fail("this number is too large", "Use one below 1e308.")
        self._advance()
        return number

    def _several(self, item: Callable[[], T]) -> list[T]:
        items = [item()]
        while self._accept(","):
            items.append(item())
        return items

    def _closed(self, closing: str, item: Callable[[], T]) -> list[T]:
        """Items up to *closing*, which is read too; there may be none."""
        items = [] if self._token.text == closing else self._several(item)
        self._expect(closing)
        return items

    def _string(self) -> str:
        token = self._token
        self._advance()
        return unquoted(self._text, token)

    def _name(self, wanted: str, suggestion: str) -> str:
        name = self._token.text
        self._expect("name", wanted, suggestion)
        return name

    def _expect(self, what: Kind | str, wanted: str = "", suggestion: str = EXAMPLE) -> None:
        if what not in (self._token.kind, self._token.text):
            self._fail(f"{self._token} stands where {wanted or repr(what)} should", suggestion)
        self._advance()

    def _accept(self, symbol: str) -> bool:
        found = self._next_is(symbol)
        if found:
            self._advance()
        return found

    def _next_is(self, symbol: str) -> bool:
        return self._token.kind == "symbol" and self._token.text == symbol

    def _advance(self) -> None:
        self._token = token_at(self._text, self._token.end)

    def _fail(self, problem: str, suggestion: str, token: Token | None = None) -> NoReturn:
        offset = (token or self._token).offset
        raise SignatureSyntaxError(self._text, offset, problem, suggestion)
