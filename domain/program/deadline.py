"""How long executions of a program may take: ``deadline_s`` of its config."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, JsonValue

MAX_DEADLINE_S: Final = 600.0
"""What takes longer is no execution to wait for: an evaluation, or several of them."""

DEADLINE: Final = "deadline_s"

DeadlineS = Annotated[float, Field(gt=0, le=MAX_DEADLINE_S)]
"""Seconds from the request to the end."""


def is_deadline_s(value: JsonValue) -> bool:
    """Whether *value* can be one."""
    return _seconds(value) is not None


def deadline_s_of(config: Mapping[str, JsonValue]) -> float | None:
    """The deadline of executions in seconds that *config* sets, if it sets one that can be."""
    return _seconds(config.get(DEADLINE))


def _seconds(value: JsonValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= MAX_DEADLINE_S else None
