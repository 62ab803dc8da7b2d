"""Programs, models and journals for the tests of the runtime and the engines."""

import json
import random
import re
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import JsonObject, ModelChoice, NotShared, RunnableProgram, RunStopped
from application.payloads import Payload
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind, ModuleSpec
from domain.program.graph import ModuleNode, ProgramGraph, Source
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import STRING, FieldType
from domain.values import Digest, Failure, LmCall, ToolCall
from infrastructure.dspy_runtime.engine import DspyEngine
from infrastructure.dspy_runtime.model import Model
from infrastructure.models.answers import answer_text
from infrastructure.models.binding import Engine, ModelBinding, free_of_charge

_ENTROPY = random.SystemRandom()


class MemoryJournal(NotShared):
    """The calls of a run in memory; *stop_after* of them it refuses, as a cancelled run does."""

    def __init__(
        self, known: Mapping[Digest, JsonObject] | None = None, *, stop_after: int | None = None
    ) -> None:
        self.answers: dict[Digest, JsonObject] = dict(known or {})
        self.calls: list[LmCall] = []
        self.tool_calls: list[ToolCall] = []
        self.arguments: list[JsonValue] = []
        self.requests: list[JsonValue] = []
        self.responses: list[JsonValue] = []
        self._stop_after = stop_after
        self._lock = threading.Lock()

    def find(self, key: Digest) -> JsonObject | None:
        return self.answers.get(key)

    def record(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        with self._lock:
            if self._stop_after is not None and len(self.calls) >= self._stop_after:
                raise RunStopped(Failure(code="run.cancelled", message="The run was cancelled."))
            self.calls.append(call)
            self.requests.append(json.loads(request.body))
            self.responses.append(None if response is None else json.loads(response.body))
            if response is not None:
                self.answers[call.key] = json.loads(response.body)

    def record_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        with self._lock:
            self.tool_calls.append(call)
            self.arguments.append(json.loads(arguments.body))
            self.answers[call.key] = json.loads(result.body)

    @property
    def prompts(self) -> list[str]:
        """The last message of each request."""
        return [_last_text(request) for request in self.requests]


def _last_text(request: Any) -> str:
    parts: list[dict[str, str]] = request["messages"][-1]["parts"]
    return "".join(part["text"] for part in parts)


class FakeEngine:
    """An engine whose ``answer`` a test writes; it counts and delays its calls."""

    seeded = False
    supports_response_schema = False
    supported_params: frozenset[str] = frozenset()

    def __init__(self, *, latency_ms: float = 0) -> None:
        self.calls = 0
        self.requests: list[lm15.Request] = []
        self._latency_ms = latency_ms
        self._lock = threading.Lock()

    def complete(self, request: lm15.Request) -> lm15.Response:
        with self._lock:
            self.calls += 1
            self.requests.append(request)
        if self._latency_ms:
            time.sleep(self._latency_ms / 1000)
        return self.response(self.answer(request), request)

    def answer(self, request: lm15.Request) -> str:
        return answer_text(request.messages[-1].text or "", {}, seed="0a" * 32)

    def response(self, text: str, request: lm15.Request) -> lm15.Response:
        return lm15.Response(
            id="fake",
            model=request.model,
            message=lm15.Message.assistant(text),
            finish_reason="stop",
            usage=lm15.Usage(input_tokens=7, output_tokens=3),
        )

    def close(self) -> None:
        pass


class StochasticEngine(FakeEngine):
    """Adds numbers, right six times in ten, by the system's entropy: it never repeats itself."""

    def answer(self, request: lm15.Request) -> str:
        last = request.messages[-1].text or ""
        terms = re.findall(r"What is (\d+) \+ (\d+)\?", last)
        total = sum(map(int, terms[-1])) if terms else 0
        wrong = 0 if _ENTROPY.random() < 0.6 else 1
        time.sleep(_ENTROPY.random() / 500)
        fields: dict[str, JsonValue] = {
            "answer": str(total + wrong),
            "plan": uuid.uuid4().hex,
            "reasoning": uuid.uuid4().hex,
            "proposed_instruction": f"Add the numbers, {uuid.uuid4().hex}.",
        }
        return answer_text(last, fields, seed=uuid.uuid4().hex)


class FailingEngine(FakeEngine):
    """Raises *errors* one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self._errors = list(errors)

    def answer(self, request: lm15.Request) -> str:
        if self._errors:
            raise self._errors.pop(0)
        return super().answer(request)


def bound(engine: Engine, *, concurrency: int = 1, adapter: Any = "chat") -> ModelBinding:
    return ModelBinding(engine, "fake/model", adapter, free_of_charge, concurrency)


def engine_on(model: Model, **options: Any) -> DspyEngine:
    """DSPy in this process, on *model*."""
    engine = DspyEngine(lambda _: model, **options)
    engine.configure(ModelChoice(model.model))
    return engine


def spec(
    inputs: str | tuple[FieldSpec, ...],
    outputs: Mapping[str, FieldType] | tuple[FieldSpec, ...],
    instructions: str | None = None,
) -> SignatureSpec:
    if isinstance(inputs, str):
        inputs = tuple(FieldSpec(name=name) for name in inputs.split())
    if isinstance(outputs, Mapping):
        outputs = tuple(FieldSpec(name=name, type=kind) for name, kind in outputs.items())
    return SignatureSpec(inputs=inputs, outputs=outputs, instructions=instructions)


ANSWER = spec("question", {"answer": STRING})


def single(
    signature: SignatureSpec = ANSWER,
    *,
    kind: ModuleKind = ModuleKind.PREDICT,
    config: ModuleConfig | None = None,
    key: str = "program@1",
    state: JsonObject | None = None,
) -> RunnableProgram:
    """A program of one module with the same signature."""
    module = ModuleSpec(kind=kind, signature=signature, config=config or DEFAULTS[kind])
    node = ModuleNode(
        id="solve",
        module=module,
        inputs={field.name: Source(field=field.name) for field in signature.inputs},
    )
    outputs = {field.name: Source(node="solve", field=field.name) for field in signature.outputs}
    graph = ProgramGraph(signature=signature, nodes=(node,), outputs=outputs)
    return RunnableProgram(key, graph, state)


def two_steps(*, key: str = "two@1", state: JsonObject | None = None) -> RunnableProgram:
    """Plan, then answer by the plan; the nodes stand in the wrong order on purpose."""
    predict, think = ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT
    plan = ModuleSpec(
        kind=predict, signature=spec("question", {"plan": STRING}), config=DEFAULTS[predict]
    )
    solve = ModuleSpec(
        kind=think, signature=spec("question plan", {"answer": STRING}), config=DEFAULTS[think]
    )
    question = Source(field="question")
    nodes = (
        ModuleNode(
            id="solve",
            module=solve,
            inputs={"question": question, "plan": Source(node="plan", field="plan")},
        ),
        ModuleNode(id="plan", module=plan, inputs={"question": question}),
    )
    outputs = {"answer": Source(node="solve", field="answer")}
    graph = ProgramGraph(signature=ANSWER, nodes=nodes, outputs=outputs)
    return RunnableProgram(key, graph, state)


def sums(count: int) -> list[JsonObject]:
    """Rows that ask for the sum of two numbers."""
    numbers = random.Random(1)
    pairs = [(numbers.randint(1, 500), numbers.randint(1, 500)) for _ in range(count)]
    return [{"question": f"What is {a} + {b}?", "answer": str(a + b)} for a, b in pairs]
