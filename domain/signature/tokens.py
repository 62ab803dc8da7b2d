"""The words of a signature text, one at a time, so that a hostile text costs only what was read."""

import re
from typing import Final, Literal, NamedTuple

from domain.signature.errors import SignatureSyntaxError
from domain.text import text_fault

Kind = Literal["name", "number", "string", "symbol", "end"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<symbol>->|[:,?=|\[\]{}()])
      | (?P<name>[^\W\d]\w*)
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<string>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_ESCAPED: Final = {
    '"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip
_SHOWN = 40
_HINT: Final = "Names hold letters, digits and underscores; descriptions stand in quotes."
_ARROW: Final = "The arrow between inputs and outputs is ->."
_HINTS: Final = {
    "<": "Types take square brackets, as in list[string].",
    ";": "A comma stands between two fields.",
    **dict.fromkeys((">", "-", "→", "⇒"), _ARROW),
}


class Token(NamedTuple):
    """``text`` as it was written, from ``offset`` to ``end``, where the next one is sought."""

    kind: Kind
    text: str
    offset: int
    end: int

    def __str__(self) -> str:
        """The token as an error message names it."""
        if self.kind == "end":
            return "the end"
        return f"'{self.text}'" if len(self.text) <= _SHOWN else f"'{self.text[:_SHOWN]}…'"


def token_at(text: str, offset: int) -> Token:
    """The next token of *text* from *offset* on.

    Raises:
        SignatureSyntaxError: What stands there is no token.
    """
    if found := _TOKEN.match(text, offset):
        kind = found.lastgroup
        assert kind in {"name", "number", "string", "symbol", "end"}
        return Token(kind, found[kind], found.start(kind), found.end())  # type: ignore[arg-type]  # just asserted
    space = _SPACE.match(text, offset)
    start = space.end() if space else offset
    if text[start] in "\"'":
        problem, suggestion = "this quote is not closed", "Close it on the same line."
    else:
        problem = f"{text[start]!r} has no meaning here"
        suggestion = _HINTS.get(text[start], _HINT)
    raise SignatureSyntaxError(text, start, problem, suggestion)


def unquoted(text: str, token: Token) -> str:
    r"""What the quoted *token* of *text* says; escapes are those of JSON, and ``\'``.

    Raises:
        SignatureSyntaxError: An escape is unknown, or says what no text may hold.
    """

    def unescaped(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] not in _ESCAPED:
            offset = token.offset + 1 + found.start()
            problem = f"'{found[0]}' is no escape"
            raise SignatureSyntaxError(text, offset, problem, r"Write a backslash as '\\'.")
        return _ESCAPED[found[2]]

    said = _ESCAPE.sub(unescaped, token.text[1:-1])
    # Two escaped surrogates are one character; a lone one stays and is refused.
    said = said.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if fault := text_fault(said):
        raise SignatureSyntaxError(text, token.offset, "this text is unsafe", fault.message)
    return said
