"""Values that several aggregates share."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.kernel import ValueObject

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A sha-256 in lower-case hexadecimal."""

Score = Annotated[float, Field(ge=0, le=1)]
"""1 is best."""

Usd = Annotated[Decimal, Field(ge=0)]
"""US dollars, exact. An unknown price is ``None``, never 0."""

TokenCount = Annotated[int, Field(ge=0)]


ModelRef = Annotated[str, StringConstraints(min_length=1, max_length=400)]
"""A provider of the tenant by its name, or a model of one: ``provider/model``."""


class PayloadRef(ValueObject):
    """Where a large or personal text lies: the digest and the size of its canonical JSON."""

    digest: Digest
    size_bytes: Annotated[int, Field(ge=0)]


class LmUsage(ValueObject):
    """Tokens as the provider counted them; what it did not say stays ``None``."""

    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    cached_tokens: TokenCount | None = None
    reasoning_tokens: TokenCount | None = None
    total_tokens: TokenCount | None = None


NO_USAGE: Final = LmUsage(
    prompt_tokens=0, completion_tokens=0, cached_tokens=0, reasoning_tokens=0, total_tokens=0
)
"""That of a call that no provider answered."""


class Failure(ValueObject):
    """Why something ended badly: a stable code, a sentence without secrets, what may help."""

    code: str
    message: str
    retryable: bool = False
    provider_status: int | None = None


class Reading(ValueObject):
    """What is done about an answer that is not in the form asked for, before it is a failure.

    With ``repair`` what it plainly means is taken; then the model is told ``feedback`` times what
    is wrong and asked again; then it is asked once in the other form. Without any, as DSPy does it.
    """

    repair: bool = False
    feedback: Annotated[int, Field(ge=0, le=3)] = 0


AS_DSPY: Final = Reading()
"""DSPy's own way: an answer in markers that cannot be read is asked for once as JSON."""


class Cache(StrEnum):
    """What may be answered by what an equal run was answered a while ago."""

    ANSWERS = "answers"
    """Calls of the model, one by one."""
    PREDICTIONS = "predictions"
    """Executions as a whole."""


class RunRef(ValueObject):
    """A run, by what it is and its id."""

    kind: Literal["execution", "evaluation", "optimization"]
    id: UUID


class LmCall(ValueObject):
    """One language-model call as it was made and answered.

    ``key`` is the content key: the same request, rollout and candidate have the same key, so a
    journal answers it without the model. ``node`` is the predictor that asked. ``role`` tells the
    program's own calls (``task``) from those an optimizer makes to think (``optimizer``).
    ``attempts`` counts tries at the provider, ``latency_ms`` is the wall time of all of them.
    If it was answered from the cache, that is no try, and took no tokens and no money: then
    ``filled_by`` is the run whose call with this key the model answered.
    """

    key: Digest
    node: str
    role: Literal["task", "optimizer"] = "task"
    model: str
    model_served: str | None = None
    rollout_id: int | None = None
    candidate: Annotated[int, Field(ge=0)] = 0
    request: PayloadRef
    response: PayloadRef | None
    usage: LmUsage = LmUsage()
    cost_usd: Usd | None = None
    latency_ms: Annotated[float, Field(ge=0)]
    attempts: Annotated[int, Field(ge=0)] = 1
    finish_reason: str | None = None
    failure: Failure | None = None
    filled_by: RunRef | None = None


class ToolCall(ValueObject):
    """One call of a tool, a retriever or an interpreter, with what came of it.

    ``key`` says what was called with which arguments, and the how many times that was within one
    call of the program: the journal answers it without the tool. ``node`` is where in the program
    it was made. A failure is a result, too: the program is told it in the same words again.
    If the result is that of an earlier run, nothing was called: then ``filled_by`` is that run.
    """

    key: Digest
    kind: Literal["tool", "retrieval", "code"] = "tool"
    node: str
    tool: str
    arguments: PayloadRef
    result: PayloadRef
    latency_ms: Annotated[float, Field(ge=0)]
    failure: Failure | None = None
    filled_by: RunRef | None = None


class LmSpend(ValueObject):
    """What a run consumed: a sum over its calls. One unknown part makes that sum ``None``."""

    calls: Annotated[int, Field(ge=0)] = 0
    prompt_tokens: TokenCount | None = 0
    completion_tokens: TokenCount | None = 0
    total_tokens: TokenCount | None = 0
    cost_usd: Usd | None = Decimal(0)

    def plus(self, call: LmCall) -> "LmSpend":
        """This spend and one more *call*."""
        return LmSpend(
            calls=self.calls + 1,
            prompt_tokens=_sum(self.prompt_tokens, call.usage.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, call.usage.completion_tokens),
            total_tokens=_sum(self.total_tokens, call.usage.total_tokens),
            cost_usd=None
            if self.cost_usd is None or call.cost_usd is None
            else self.cost_usd + call.cost_usd,
        )


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right
