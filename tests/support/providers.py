"""A provider with all that can happen to one, and the handlers of providers over a memory log."""

from application.models import Models, ProviderModels
from application.providers import ProviderHandlers
from domain.kernel import Event
from domain.provider.aggregate import DefaultProvider, Provider
from domain.provider.allowance import ProviderAllowance
from domain.provider.events import (
    DefaultProviderChosen,
    DefaultProviderCleared,
    ProviderChanged,
    ProviderDisabled,
    ProviderEnabled,
    ProviderKeyRotated,
    ProviderRegistered,
)
from domain.provider.values import OfferedModel, ProviderKind
from domain.tool.allowance import Allowance
from tests.support.histories import an_id
from tests.support.memory import FixedClock, MemoryLog, MemoryNames, MemoryRepository

GPT_4 = OfferedModel(name="gpt-4")
WARM = OfferedModel(name="org/model-2:free", temperature=0.7, max_tokens=64)
ALLOWED = ProviderAllowance(
    Allowance(
        hosts=frozenset({"models.example.com", "http://models.internal:8080"}),
        secrets={
            "OPENAI_API_KEY": "api.openai.com",
            "OTHER_KEY": "api.openai.com",
            "INTERNAL_KEY": "models.internal",
        },
    )
)


def provider_models(log: MemoryLog, allowance: ProviderAllowance = ALLOWED) -> ProviderModels:
    """The models of the providers in *log*; each key is the name of its variable."""
    return ProviderModels(
        MemoryRepository(Provider, log),
        MemoryRepository(DefaultProvider, log),
        MemoryNames(log),
        allowance,
        key_in=str,
        monotonic=lambda: 0.0,
    )


def provider_handlers(
    log: MemoryLog, clock: FixedClock, models: Models, allowance: ProviderAllowance = ALLOWED
) -> ProviderHandlers:
    """Models may be asked where *allowance* says."""
    providers, defaults = MemoryRepository(Provider, log), MemoryRepository(DefaultProvider, log)
    return ProviderHandlers(providers, defaults, allowance, clock, models)


REGISTERED = ProviderRegistered(
    name="OpenAI GPT-4",
    kind=ProviderKind.OPENAI,
    base_url=None,
    secret="env:OPENAI_API_KEY",
    models=(GPT_4, WARM),
)
_FULL = REGISTERED.model_copy(update={"base_url": "https://models.example.com/v1"})
_BARE = ProviderRegistered(
    name="bare", kind=ProviderKind.LITELLM, base_url="https://x.example", secret=None, models=()
)


def a_provider() -> tuple[Event, ...]:
    """Registered, changed, given another key, disabled and enabled, and disabled in the end."""
    return (
        REGISTERED,
        ProviderChanged(base_url="https://models.example.com/v1", models=(WARM,)),
        ProviderKeyRotated(secret="env:OTHER_KEY"),
        ProviderDisabled(reason="It costs too much."),
        ProviderEnabled(),
        ProviderDisabled(reason="Its key was in a screenshot."),
    )


def a_default() -> tuple[Event, ...]:
    """Chosen, cleared, and chosen again."""
    chosen = DefaultProviderChosen(provider_id=an_id("provider"))
    return (chosen, DefaultProviderCleared(), chosen)


EXAMPLES: tuple[tuple[Event, ...], ...] = (
    (_FULL, _BARE),
    (
        ProviderChanged(base_url="https://models.example.com/v1", models=(WARM,)),
        ProviderChanged(base_url=None, models=()),
    ),
    (ProviderKeyRotated(secret="env:OTHER_KEY"),),
    (ProviderDisabled(reason="It costs too much."),),
    (ProviderEnabled(),),
    (DefaultProviderChosen(provider_id=an_id("provider")),),
    (DefaultProviderCleared(),),
)
"""For the golden files of what is stored."""
