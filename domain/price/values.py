"""What a model costs, and what a call of so many tokens costs by that."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final, NamedTuple

from pydantic import AwareDatetime, Field, StringConstraints

from domain.kernel import ValueObject
from domain.values import LmUsage

ModelName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
"""A model as calls of it are recorded, such as ``openai/gpt-4o-mini``."""

UsdPerMillion = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=9)]
"""US dollars for a million tokens, exact; so few digits that no product with tokens is rounded."""

Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
]
"""When a price begins: a time that every calendar here can hold."""

_TOKENS_TO_MILLIONS: Final = -6
_REASONING_APART: Final = frozenset({"gemini", "vertex", "vertex-express", "xai"})


class Counting(NamedTuple):
    """Which tokens a provider counts beside the others, where most count them among them."""

    cached_apart: bool
    reasoning_apart: bool


def counting_of(model: str) -> Counting:
    """How the provider of *model* counts, which the first part of its name tells."""
    provider = model.partition("/")[0]
    cached_apart = provider == "anthropic" or provider.endswith("-anthropic")
    return Counting(cached_apart, provider in _REASONING_APART)


class Rates(ValueObject):
    """What a million tokens cost. Cached and reasoning tokens cost as the others if not said."""

    input_usd: UsdPerMillion
    cached_input_usd: UsdPerMillion | None = None
    output_usd: UsdPerMillion
    reasoning_usd: UsdPerMillion | None = None

    def cost_of(self, usage: LmUsage, counting: Counting) -> Decimal | None:
        """What a call with *usage* costs; ``None`` where a count that it needs is not known."""
        asked = _Share(
            usage.prompt_tokens,
            usage.cached_tokens,
            self.input_usd,
            self.cached_input_usd,
            counting.cached_apart,
        )
        given = _Share(
            usage.completion_tokens,
            usage.reasoning_tokens,
            self.output_usd,
            self.reasoning_usd,
            counting.reasoning_apart,
        )
        asked_usd, given_usd = asked.cost(usage), given.cost(usage)
        if asked_usd is None or given_usd is None:
            return None
        return (asked_usd + given_usd).scaleb(_TOKENS_TO_MILLIONS)


class _Share(NamedTuple):
    """Tokens of one direction: the plain ones, and some with a price of their own."""

    tokens: int | None
    special: int | None
    usd: Decimal
    special_usd: Decimal | None
    apart: bool

    def cost(self, usage: LmUsage) -> Decimal | None:
        """US dollars times a million."""
        if self.tokens is None:
            return None
        if self.special_usd is None and not self.apart:
            return self.tokens * self.usd
        special = self._none_of_them(usage) if self.special is None else self.special
        if special is None:
            return None
        plain = self.tokens if self.apart else self.tokens - special
        if plain < 0:
            return None
        special_usd = self.usd if self.special_usd is None else self.special_usd
        return plain * self.usd + special * special_usd

    def _none_of_them(self, usage: LmUsage) -> int | None:
        """0 where the total leaves no room for tokens that nobody speaks of."""
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if not self.apart or prompt is None or completion is None:
            return None
        return 0 if usage.total_tokens == prompt + completion else None
