"""Requests and responses as JSON and back: the one door to DSPy's private serializer."""

from collections.abc import Mapping
from typing import Any, Final, cast

from dspy import lm15
from dspy._vendor.lm15.serde import request_to_dict, response_from_dict, response_to_dict
from pydantic import JsonValue

from domain.text import mended
from domain.values import LmUsage

MOST_TOKENS: Final = 1_000_000_000
"""No call takes as many; sums of them stay far below what a database can hold."""


def request_json(request: lm15.Request) -> dict[str, JsonValue]:
    """*request* as it is recorded; it never holds a key, an address or a rollout."""
    return cast("dict[str, JsonValue]", request_to_dict(request))


def response_json(response: lm15.Response) -> JsonValue:
    """*response* as it is recorded; what no database can store is replaced."""
    return mended(response_to_dict(response, include_provider_data=False))


def response_of(body: Mapping[str, Any]) -> lm15.Response:
    """The response that was recorded as *body*."""
    return response_from_dict(body)


def usage_of(response: lm15.Response) -> LmUsage:
    """The tokens the provider counted; what it did not say, or cannot be so, stays unknown."""
    usage = response.usage
    return LmUsage(
        prompt_tokens=_counted(usage.input_tokens),
        completion_tokens=_counted(usage.output_tokens),
        cached_tokens=_counted(usage.cache_read_tokens),
        reasoning_tokens=_counted(usage.reasoning_tokens),
        total_tokens=_counted(usage.total_tokens),
    )


def _counted(tokens: int | None) -> int | None:
    return None if tokens is None or tokens > MOST_TOKENS else tokens


def tokens_of(request: lm15.Request) -> int:
    """About how many tokens *request* takes with its answer: four characters make one."""
    written = len(repr(request.system)) + sum(len(repr(each.parts)) for each in request.messages)
    return written // 4 + (request.config.max_tokens or 0)
