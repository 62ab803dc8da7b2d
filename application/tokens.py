"""How many tokens a text takes: as its provider counted, or else about."""

from typing import Final, NamedTuple

CHARACTERS_A_TOKEN: Final = 4


class Tokens(NamedTuple):
    """``is_estimated``: nobody counted, four characters were taken to make one."""

    number: int
    is_estimated: bool


def tokens_of(text: str, counted: int | None = None) -> Tokens:
    """The tokens of *text*; *counted* is what the provider says, if it said."""
    if counted is not None:
        return Tokens(counted, is_estimated=False)
    return Tokens(-(-len(text) // CHARACTERS_A_TOKEN), is_estimated=True)
