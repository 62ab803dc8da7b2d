"""What happens to providers of language models and routes to them, in sentences."""

from typing import assert_never
from uuid import UUID

from domain.provider.events import (
    DefaultProviderChosen,
    DefaultProviderCleared,
    DefaultProviderEvent,
    ProviderChanged,
    ProviderDisabled,
    ProviderEnabled,
    ProviderEvent,
    ProviderKeyRotated,
    ProviderRegistered,
)
from domain.route.events import (
    RouteChanged,
    RouteCreated,
    RouteDisabled,
    RouteEnabled,
    RouteEvent,
)
from projections.words import Words, many, plain, quoted


def provider(id: UUID, event: ProviderEvent) -> Words:
    match event:
        case ProviderRegistered(kind=kind, models=models):
            told = f", which is {kind.value}, with {many(len(models), 'model')}"
            return ("registered provider ", id, told)
        case ProviderChanged(base_url=base_url, models=models):
            where = "where its kind is" if base_url is None else f"at {plain(base_url)}"
            return ("had provider ", id, f" asked {where}, with {many(len(models), 'model')}")
        case ProviderKeyRotated(secret=secret):
            return ("had provider ", id, f" asked with the key in {plain(secret)}")
        case ProviderDisabled(reason=reason):
            return ("disabled provider ", id, f" because {quoted(reason)}")
        case ProviderEnabled():
            return ("enabled provider ", id)
        case _:
            assert_never(event)


def default_provider(id: UUID, event: DefaultProviderEvent) -> Words:
    del id
    match event:
        case DefaultProviderChosen(provider_id=provider_id):
            return ("made provider ", provider_id, " the default")
        case DefaultProviderCleared():
            return ("had no provider be the default",)
        case _:
            assert_never(event)


def route(id: UUID, event: RouteEvent) -> Words:
    match event:
        case RouteCreated(plan=plan):
            how = f", {plan.strategy.value}, among {many(len(plan.candidates), 'model')}"
            return ("created route ", id, how)
        case RouteChanged(plan=plan):
            how = f" choose, {plan.strategy.value}, among {many(len(plan.candidates), 'model')}"
            return ("had route ", id, how)
        case RouteDisabled(reason=reason):
            return ("disabled route ", id, f" because {quoted(reason)}")
        case RouteEnabled():
            return ("enabled route ", id)
        case _:
            assert_never(event)
