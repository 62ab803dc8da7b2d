"""Which model executions of a program are answered by: ``lm`` of its config."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

LM: Final = "lm"

MAX_LENGTH: Final = 400


def is_model(value: JsonValue) -> bool:
    """Whether *value* can name a provider, or a model of one."""
    return isinstance(value, str) and 0 < len(value) <= MAX_LENGTH


def model_of(config: Mapping[str, JsonValue]) -> str | None:
    """The model that *config* names, if it names one."""
    value = config.get(LM)
    return value if isinstance(value, str) and is_model(value) else None
