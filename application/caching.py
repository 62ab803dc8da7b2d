"""What was answered a while ago and may answer again: each hit names the run that it came from."""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from pydantic import JsonValue

from application.context import current
from application.lm_ports import ModelChoice, RunnableProgram
from application.payloads import canonical_json
from application.ports import Repository
from domain.execution.aggregate import Execution
from domain.values import Digest, LmCall, PayloadRef, RunRef

Provider = tuple[str, ...]
"""What answers: the model as the settings name it, and where it is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that is kept for a while, and the run that it came from.

    Whoever fills a cache says of which program the run is, and which ``models`` took part.
    """

    content: PayloadRef
    filled_by: RunRef
    program_id: UUID | None = field(default=None, compare=False)
    models: frozenset[str] = field(default=frozenset(), compare=False)


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
    predictions: KeptTexts = field(default=NOTHING_KEPT)


NO_CACHES: Final = Caches()


PATIENCE_S: Final = 120.0
"""How long an execution without a deadline has for an equal one, of which half may be waited."""


@dataclass(slots=True)
class Prediction:
    """What an execution may take from an equal one, or owes to those after it."""

    cache: KeptTexts
    _debt: Debt | None = None

    def taken(
        self, program: RunnableProgram, inputs: PayloadRef, *, within_s: float | None
    ) -> Kept | None:
        """What an equal execution came to; the program is made of the same, and read alike."""
        patience_s = PATIENCE_S if within_s is None else within_s
        match self.cache.take(prediction_key(program, inputs), within_s=patience_s):
            case Kept() as kept:
                return kept
            case debt:
                self._debt = debt
                return None

    def settle(self, executions: Repository[Execution], id: UUID) -> None:
        """Let equal executions have what execution *id* came to, if it completed."""
        if self._debt is None:
            return
        kept = None
        try:
            execution = executions.get(id)
            if execution.outputs is not None:
                models = frozenset(
                    call.model for call in execution.calls if isinstance(call, LmCall)
                )
                run = RunRef(kind="execution", id=id)
                kept = Kept(execution.outputs, run, execution.program_id, models)
        finally:
            self._debt.settle(kept)


def prediction_key(program: RunnableProgram, inputs: PayloadRef) -> Digest:
    """What tells executions apart: the version with all it is made of, the inputs, the reading.

    The model's parameters are part of the version.
    """
    parts: dict[str, JsonValue] = {
        "provider": list(answered_by(program.model)),
        "program": program.key,
        "inputs": inputs.digest,
        "reading": program.reading.model_dump(mode="json"),
    }
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def answered_by(model: ModelChoice | None) -> Provider:
    """Who answers: nothing is said of the model of the workers, the cache knows it."""
    return () if model is None else (model.name, model.api_base or "")


def apart(provider: Provider, key: Digest) -> Digest:
    """*key*, as *provider* has it: two of them may call different models the same."""
    if not provider:
        return key
    return hashlib.sha256(canonical_json([*provider, key])).hexdigest()


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
