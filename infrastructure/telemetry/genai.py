"""The OpenTelemetry GenAI names this project uses, pinned in one place.

The conventions are in development and moved to a repository of their own
(``semantic-conventions-genai``); the constants of the Python package are marked deprecated. These
are the names as of its October 2026 state: ``gen_ai.provider.name`` replaces ``gen_ai.system``.
Message content is never put on a span: prompts live in the payload store.
"""

from collections.abc import Mapping

from application.tracing import Attributes
from domain.values import LmCall

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - the name of an attribute
ERROR_TYPE = "error.type"

CHAT = "chat"


def span_name(model: str) -> str:
    """``{operation} {model}``, as the conventions ask."""
    return f"{CHAT} {model}"


def request_attributes(model: str, node: str) -> Attributes:
    """What is known before the call."""
    provider = model.partition("/")[0]
    return {OPERATION: CHAT, PROVIDER: provider, REQUEST_MODEL: model, "stratal.predictor": node}


def response_attributes(call: LmCall) -> Attributes:
    """What is known after it; what the provider did not say is left out."""
    known = {
        RESPONSE_MODEL: call.model_served,
        FINISH_REASONS: (call.finish_reason,) if call.finish_reason else None,
        INPUT_TOKENS: call.usage.prompt_tokens,
        OUTPUT_TOKENS: call.usage.completion_tokens,
        CACHE_READ_TOKENS: call.usage.cached_tokens,
        REASONING_TOKENS: call.usage.reasoning_tokens,
        ERROR_TYPE: call.failure.code if call.failure else None,
        "stratal.attempts": call.attempts,
        "stratal.call_key": call.key,
    }
    return {name: value for name, value in known.items() if value is not None}


def measured_attributes(model: str, call: LmCall) -> Mapping[str, str]:
    """What a measurement of *call* is told apart by: few values, so that there are few series."""
    known = {
        OPERATION: CHAT,
        PROVIDER: model.partition("/")[0],
        REQUEST_MODEL: model,
        RESPONSE_MODEL: call.model_served,
        ERROR_TYPE: call.failure.code if call.failure else None,
    }
    return {name: value for name, value in known.items() if value is not None}
