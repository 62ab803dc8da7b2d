"""How an attempt is judged, as data: a closed set of rewards, never a function as text."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from domain.kernel import ValueObject


class NumberReward(ValueObject):
    """The reward is the number that an output holds; true is 1."""

    kind: Literal["number"] = "number"
    field: str


class EqualsReward(ValueObject):
    """1 for an output that is exactly *value*, else 0."""

    kind: Literal["equals"] = "equals"
    field: str
    value: JsonValue


class ContainsReward(ValueObject):
    """1 for a text output with *text* in it, whatever the case, else 0."""

    kind: Literal["contains"] = "contains"
    field: str
    text: Annotated[str, Field(min_length=1, max_length=1000)]


class WordsReward(ValueObject):
    """1 for a text output of at least and at most so many words, else 0."""

    kind: Literal["words"] = "words"
    field: str
    at_least: Annotated[int, Field(ge=0, le=100_000)] = 0
    at_most: Annotated[int, Field(ge=0, le=100_000)]


class ValidReward(ValueObject):
    """1 where every output fits its type and its bounds, else 0."""

    kind: Literal["valid"] = "valid"


Reward = Annotated[
    NumberReward | EqualsReward | ContainsReward | WordsReward | ValidReward,
    Field(discriminator="kind"),
]
