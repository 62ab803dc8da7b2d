"""What was answered a while ago and may answer again: each hit names the run that it came from."""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import JsonValue

from application.context import current
from application.payloads import canonical_json
from domain.values import Digest, PayloadRef, RunRef

Provider = tuple[str, ...]
"""What answers: the model as the settings name it, and where it is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that is kept for a while, and the run that it came from."""

    content: PayloadRef
    filled_by: RunRef


class Debt(Protocol):
    """Others may wait for what somebody found missing, and now makes."""

    def settle(self, kept: Kept | None) -> None:
        """Keep it, or nothing if it came to nothing; whoever waits goes on. Never raises."""
        ...


class KeptTexts(Protocol):
    """Texts of the tenant of the current context by key, each for a while."""

    def take(self, key: Digest, *, within_s: float) -> Kept | Debt | None:
        """What is kept under *key*, or else the duty to make it, which only one has at a time.

        Others wait for that one, for half of *within_s* seconds at most. Whoever waited in vain
        gets nothing: they make it for themselves. So does everybody while the store is away.
        """
        ...


class _NothingKept:
    """A cache that keeps nothing."""

    def take(self, key: Digest, *, within_s: float) -> Kept | Debt | None:
        del key, within_s
        return None


NOTHING_KEPT: Final = _NothingKept()


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches that there are; which of them a run uses is said by its program."""

    answers: KeptTexts = field(default=NOTHING_KEPT)


NO_CACHES: Final = Caches()


def cache_key(provider: Provider, key: Digest) -> Digest:
    """*key* of a call, as the current tenant has it answered by *provider*.

    The key of a call covers the request with the model, every option and the schema, the rollout
    and the candidate.
    """
    parts: dict[str, JsonValue] = {
        "tenant": current().tenant,
        "provider": list(provider),
        "call": key,
    }
    return hashlib.sha256(canonical_json(parts)).hexdigest()
