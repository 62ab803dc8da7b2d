"""What a provider is: its kind, the models that it offers, and where its key is kept."""

import re
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from domain.kernel import ValueObject


class ProviderKind(StrEnum):
    """How a provider is asked. ``litellm`` is a LiteLLM proxy; ``scripted`` makes answers up."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    COHERE = "cohere"
    LOCAL = "local"
    OPENAI_COMPATIBLE = "openai_compatible"
    LITELLM = "litellm"
    SCRIPTED = "scripted"


class Standard(NamedTuple):
    """What goes without saying of a kind.

    Without an ``address`` one is to be given, unless the model ``is_here``. Without a
    ``needs_key`` it may go without one; ``model`` is offered where none is named.
    """

    address: str | None = None
    is_here: bool = False
    needs_key: bool = False
    model: str | None = None


STANDARDS: Final[dict[ProviderKind, Standard]] = {
    ProviderKind.OPENAI: Standard("https://api.openai.com/v1", needs_key=True, model="gpt-4"),
    ProviderKind.ANTHROPIC: Standard("https://api.anthropic.com/v1", needs_key=True),
    ProviderKind.COHERE: Standard("https://api.cohere.ai/compatibility/v1", needs_key=True),
    ProviderKind.LOCAL: Standard(is_here=True, model="smollm2"),
    ProviderKind.OPENAI_COMPATIBLE: Standard(),
    ProviderKind.LITELLM: Standard(),
    ProviderKind.SCRIPTED: Standard(is_here=True, model="made-up"),
}

ModelId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*(/[A-Za-z0-9._:@-]+)*$"),
    StringConstraints(max_length=200),
]  # fmt: skip
"""A model as its provider calls it."""

Temperature = Annotated[float, Field(ge=0, le=2)]
MaxTokens = Annotated[int, Field(ge=1, le=1_000_000)]

BaseUrl = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class OfferedModel(ValueObject):
    """A model of a provider, with what holds for a question that says nothing else.

    The first one of a provider answers where none is named.
    """

    name: ModelId
    temperature: Temperature = 0.0
    max_tokens: MaxTokens = 1000


OfferedModels = Annotated[tuple[OfferedModel, ...], Field(max_length=100)]

_REFERENCE: Final = re.compile(r"env:[A-Z][A-Z0-9_]{0,99}")


def _reference(told: str) -> str:
    """*told*, unless it is a key itself; the refusal does not repeat it."""
    if _REFERENCE.fullmatch(told) is None:
        raise PydanticCustomError(
            "secret_reference",
            "A key itself is never taken. Put it into the environment of the workers, and name"
            " the variable, such as env:OPENAI_API_KEY.",
        )
    return told


SecretRef = Annotated[
    str,
    AfterValidator(_reference),
    Field(description="Where the key is kept: `env:NAME`, a variable of the workers."),
]
"""Where a key is kept, never the key: ``env:NAME`` is a variable in the workers' environment."""


def variable_of(secret: str) -> str:
    """The name of the variable that *secret* refers to."""
    return secret.removeprefix("env:")
