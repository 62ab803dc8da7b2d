"""Runs of a module on a model that answers every predictor with made-up values of its types."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import dspy
from dspy import lm15
from pydantic import JsonValue, TypeAdapter

from application.circuits import Circuit
from application.lm_ports import JsonObject, NotShared
from application.payloads import Payload
from application.tracing import NoTracing
from domain.values import Digest, LmCall, ToolCall
from infrastructure.dspy_runtime.recording import NODE_ID
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.made_up import made_up

Answer = Callable[[str, Mapping[str, JsonValue], str], str]
"""The text of an answer to the last message of a prompt, with values for its fields and a seed."""


class _Journal(NotShared):
    """The calls of the dry run."""

    def __init__(self) -> None:
        self.answers: dict[Digest, JsonObject] = {}
        self.calls = 0

    def find(self, key: Digest) -> JsonObject | None:
        return self.answers.get(key)

    def record(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        del request
        self.calls += 1
        if response is not None:
            self.answers[call.key] = TypeAdapter(dict[str, JsonValue]).validate_json(response.body)

    def record_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        """Nothing of this kind is made here: a module's own tools are its own affair."""


def _nothing(response: object) -> Decimal:
    del response
    return Decimal(0)


@dataclass(frozen=True)
class _Engine:
    """Answers by the signature of the predictor that asks."""

    answer: Answer
    seeded: bool = False
    supports_response_schema: bool = False
    supported_params: frozenset[str] = frozenset()

    def complete(self, request: Any) -> Any:
        last = request.messages[-1].text or ""
        seed = hashlib.sha256(repr(request).encode()).hexdigest()
        return lm15.Response(
            id=f"dry-{seed[:12]}",
            model=request.model,
            message=lm15.Message.assistant(self.answer(last, _reply(), seed)),
            finish_reason="stop",
            usage=lm15.Usage(input_tokens=0, output_tokens=0),
        )


@dataclass(frozen=True)
class _Model:
    engine: _Engine
    model: str = "scripted/probe"
    adapter: Literal["json", "chat"] = "chat"
    cost_of: Callable[[Any], Decimal | None] = _nothing
    concurrency: int = 1
    circuit: Circuit = field(default_factory=Circuit)
    fallback: None = None


@dataclass(slots=True)
class DryRun:
    """Runs modules on made-up answers, which *answer* puts into words; their calls are recorded."""

    answer: Answer
    _journal: _Journal = field(default_factory=_Journal)

    @property
    def calls(self) -> int:
        """How often the model was asked so far."""
        return self._journal.calls

    def run(self, module: dspy.Module, inputs: JsonObject, *, live: bool) -> dspy.Prediction:
        """What *module* returns; with ``live=False`` every call has to be one of an earlier run.

        Raises:
            RunStopped: A call failed, or is not on record.
        """
        for path, predictor in module.named_predictors():
            setattr(predictor, NODE_ID, path)
        runner = DspyRunner(_Model(_Engine(self.answer)), NoTracing())
        with runner.settings(runner.engine(self._journal, live=live), None):
            return module(**inputs)


def _reply() -> dict[str, JsonValue]:
    callers = dspy.settings.caller_modules or []
    signature = getattr(callers[-1] if callers else None, "signature", None)
    if signature is None:
        return {}
    return {
        name: made_up(TypeAdapter(each.annotation).json_schema(), name)
        for name, each in signature.output_fields.items()
    }
