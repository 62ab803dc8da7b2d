"""What may answer in place of the model when a program runs: ``cache`` of its config."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from domain.values import Cache

CACHE: Final = "cache"

_NAMED: Final = {each.value: each for each in Cache}


def is_caches(value: JsonValue) -> bool:
    """Whether *value* names caches, each once."""
    return _caches(value) is not None


def caches_of(config: Mapping[str, JsonValue]) -> tuple[Cache, ...]:
    """The caches that *config* names; none if it does not say."""
    return _caches(config.get(CACHE)) or ()


def _caches(value: JsonValue) -> tuple[Cache, ...] | None:
    if not isinstance(value, list):
        return None
    named = [_NAMED[each] for each in value if isinstance(each, str) and each in _NAMED]
    return tuple(named) if len(named) == len(value) == len(set(named)) else None
