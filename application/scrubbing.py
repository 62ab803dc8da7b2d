"""Keeps secrets and unstorable characters out of what went wrong: providers echo keys in errors."""

import re
from typing import Final, TypeVar
from urllib.parse import urlsplit

from domain.text import mended
from domain.values import Failure, LmCall, ToolCall

C = TypeVar("C", LmCall, ToolCall)

MAX_MESSAGE_CHARACTERS: Final = 2000
_REDACTED = "[redacted]"

_SECRETS: Final = re.compile(
    r"""
    (?P<label>
        \b(?:bearer|basic)\s+
      | (?:api[_-]?key|authorization|secret|password|passwd|token(?!s)|credential)[\w-]{0,40}
        ["']?\s*[:=]\s*["']?(?:bearer\s+|basic\s+)?
      | [?&]key=
      | ://[^/\s:@]*:(?=[^/\s@]+@)
    )
    (?P<value>[^\s"',;&}\])@]+)
  | \b(?:sk|pk|rk|gsk|hf|xai|r8|key|pplx|ghp|gho|ghs|xox[abps])[-_][A-Za-z0-9_*.-]{8,}
  | \bAIza[A-Za-z0-9_-]{20,}
  | \bstratal_[a-z0-9][a-z0-9_-]{0,62}_[0-9a-f]{32}_[0-9a-f]+
  | \b(?:AKIA|ASIA)[A-Z0-9]{12,}
  | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?
    """,
    re.IGNORECASE | re.VERBOSE,
)


def scrubbed_text(text: str) -> str:
    """*text* with keys, tokens and passwords blotted out, storable, and of bearable length."""
    clean = str(mended(text[: 2 * MAX_MESSAGE_CHARACTERS]))
    return _SECRETS.sub(_blot, clean)[:MAX_MESSAGE_CHARACTERS]


def place_of(url: str) -> str:
    """Scheme and host of *url*: all else of it may be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _REDACTED
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def scrubbed(failure: Failure) -> Failure:
    """*failure* with a message that holds no secret."""
    return failure.model_copy(update={"message": scrubbed_text(failure.message)})


def scrubbed_call(call: C) -> C:
    """*call* with a failure that holds no secret."""
    if call.failure is None:
        return call
    return call.model_copy(update={"failure": scrubbed(call.failure)})


def _blot(found: re.Match[str]) -> str:
    return f"{found['label'] or ''}{_REDACTED}"
